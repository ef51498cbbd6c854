package import Autograd
package import Checkpoints
import DiffusionModels
import LinearAlgebra
import ModelFamilies
package import Tensors

/// Stable Diffusion XL: a UNet that sees the vectors of two text encoders side by side, and is told one vector for
/// the whole caption and the sizes of the picture.
///
/// Sources: sd-scripts `library/strategy_sdxl.py`, `library/sdxl_train_util.py`, `sdxl_train_network.py`.
package final class StableDiffusionXLPipeline: StableDiffusionFamily {
  package static let families = ["sdxl"]

  /// What the UNet reads besides latents and times.
  package struct Condition {
    /// `[captions, tokens, width of both encoders]`
    let context: Variable
    /// `[captions, pooled + 6 · 256]`
    let vector: Variable

    /// - Parameter encoded: vectors of both encoders, `[captions, tokens, width]`, and the second one's for the whole
    ///   caption, `[captions, pooled]`.
    init(_ encoded: [Variable], _ sizes: [PictureSize]) {
      context = encoded[0].appendingChannels(encoded[1])
      vector = encoded[2].appendingChannels(Variable(StableDiffusionXLPipeline.vectors(of: sizes)))
    }
  }

  private let model: StableDiffusionModel
  private let captions: KnownCaptions

  /// A UNet whose first level has no attention, and that is told a vector.
  package static func fits(_ base: BaseModel) -> Bool {
    let parameters = CheckpointParameters(base)
    return parameters.shape("unet", "add_embedding.linear_1", "weight") != nil
      && parameters.shape("unet", "down_blocks.0.attentions.0.proj_in", "weight") == nil
  }

  package init(_ base: BaseModel, _ settings: ModelSettings, checkpointsBlocks: Bool) throws {
    try StableDiffusionModel.checkVocabulary(CheckpointParameters(base), settings)
    model = try StableDiffusionModel(base, settings, checkpointsBlocks: checkpointsBlocks)
    captions = KnownCaptions(
      model.textEncoders.isEmpty
        ? nil
        : Encoder(
          encoders: model.textEncoders, tokenizers: (0...1).map(model.tokenizer(of:)),
          settings: settings),
      keepsAll: settings.keepsAllText)
  }

  package var layers: [Layer] { model.layers }

  package func prepare(
    for captions: Set<String>?, training trained: Set<String>, progress: (Int, Int) -> Bool
  ) {
    self.captions.isTrained = !trained.isDisjoint(with: model.family.textEncoders)
    if let captions, self.captions.settle(for: captions, progress: progress) {
      model.releaseTextEncoders()
    }
  }

  package func condition(_ captions: [String], _ sizes: [PictureSize]) -> Condition {
    Condition(self.captions.encoded(captions), sizes)
  }

  package func predict(
    _ noisy: Variable, at times: [Float], _ condition: Condition
  ) -> Variable {
    model.unet(
      noisy, timesteps: times, context: condition.context, vector: condition.vector)
  }

  /// Waves of the sizes of the file, of the corner at which it was cropped, and of the picture as it is trained, each
  /// height first.
  /// - Returns: `[sizes, 6 · 256]`
  static func vectors(of sizes: [PictureSize]) -> Tensor {
    let numbers = sizes.flatMap { size in
      [
        size.originalHeight, size.originalWidth, size.cropTop, size.cropLeft, size.height,
        size.width,
      ].map { Float($0) }
    }
    return Tensor.waves(of: numbers, width: waveWidth).reshaped([sizes.count, sizesWidth])
  }

  private static let waveWidth = 256
  /// Of what the UNet is told of sizes.
  static let sizesWidth = 6 * waveWidth

  /// Vectors of both encoders, and the second one's for the whole caption.
  private struct Encoder: CaptionEncoder {
    let encoders: [CLIPTextModel]
    let tokenizers: [CLIPTokenizer]
    let settings: ModelSettings

    func encode(_ captions: [String]) -> [Variable] {
      let read = (0...1).map {
        CLIPCaptions(
          captions, tokenizers[$0], maxTokenLength: settings.maxTokenLength,
          readsWeights: settings.weighsCaptions)
      }
      let (states, pooled) = encoders[1].encodeWithPooled(read[1].rows)
      return [
        read[0].weighted(encoders[0].encodePenultimate(read[0].rows)),
        read[1].weighted(states), pooled,
      ]
    }
  }
}

// MARK: Text that is kept

extension StableDiffusionXLPipeline {
  package static var keepsText: Bool { true }

  package static func textLayout(
    of base: BaseModel, _ settings: ModelSettings
  ) throws -> KeptText? {
    let (parameters, encoders) = (CheckpointParameters(base), base.layout.family.textEncoders)
    let widths = encoders.map {
      parameters.shape($0, "text_model.final_layer_norm", "weight")?.rows
    }
    let tokens = settings.maxTokenLength + 2
    // What the UNet reads is known without the encoders too.
    let vector = parameters.shape("unet", "add_embedding.linear_1", "weight")?.columns
    var identity: String?
    if encoders.allSatisfy(parameters.has) {
      identity =
        try parameters.identity(of: encoders) + MergedParameters.identity(of: settings.merged)
        + (settings.weighsCaptions ? " weighted" : "")
    }
    return KeptText(
      ending: "_te_outputs.npz",
      arrays: zip(
        arrays, [[tokens, widths[0]], [tokens, widths[1]], [vector.map { $0 - sizesWidth }]]
      ).map { ($0, $1) },
      columns: StableDiffusionModel.contextWidth(of: parameters), identity: identity)
  }

  /// As sd-scripts names them: vectors of both encoders, `[tokens, width]`, and the one for the whole.
  private static let arrays = ["hidden_state1", "hidden_state2", "pool2"]

  package func textOutputs(of caption: String) -> [String: Tensor] {
    let parts = captions.fresh(caption).map {
      $0.reshaped(Shape(Array($0.shape.dimensions.dropFirst())))
    }
    return Dictionary(uniqueKeysWithValues: zip(Self.arrays, parts))
  }

  package func condition(kept: [[String: Tensor]], _ sizes: [PictureSize]) -> Condition {
    let encoded = Self.arrays.map { name in
      let parts = kept.map { outputs in
        guard let tensor = outputs[name] else { preconditionFailure("no '\(name)' is kept") }
        return tensor.reshaped(Shape([1] + tensor.shape.dimensions))
      }
      return Variable(Tensor.stacked(parts))
    }
    return Condition(encoded, sizes)
  }
}
