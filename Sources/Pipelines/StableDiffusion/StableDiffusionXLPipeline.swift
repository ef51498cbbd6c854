package import Autograd
package import Checkpoints
package import DiffusionModels
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

  private let unet: UNet2DCondition

  /// A UNet whose first level has no attention, and that is told a vector.
  package static func fits(_ base: BaseModel) -> Bool {
    let parameters = CheckpointParameters(base)
    return parameters.shape("unet", "add_embedding.linear_1", "weight") != nil
      && parameters.shape("unet", "down_blocks.0.attentions.0.proj_in", "weight") == nil
  }

  package init(_ base: BaseModel, _ settings: ModelSettings, checkpointsBlocks: Bool) throws {
    unet = try StableDiffusionModel.unet(of: base, settings, checkpointsBlocks: checkpointsBlocks)
  }

  /// Vectors of both encoders, and the second one's for the whole caption.
  package static func outputs(
    of encoder: CLIPTextModel, at index: Int, _ rows: [[[Int]]], _ settings: ModelSettings
  ) -> [Variable] {
    guard index == 1 else { return [encoder.encodePenultimate(rows)] }
    let (states, pooled) = encoder.encodeWithPooled(rows)
    return [states, pooled]
  }

  package var layers: [Layer] { unet.layers }

  package func condition(_ encoded: [Variable], _ sizes: [PictureSize]) -> Condition {
    Condition(encoded, sizes)
  }

  package func predict(
    _ noisy: Variable, at times: [Float], _ condition: Condition
  ) -> Variable {
    unet(
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
