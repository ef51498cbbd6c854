package import Autograd
package import Checkpoints
import DiffusionModels
import ModelFamilies
import Tensors

/// Pebble, the made-up family of CONTRIBUTING.md, whose latents are pictures made smaller.
package final class PebblePipeline: ModelPipeline {
  package static let families = ["pebble"]

  private let model: PebbleModel

  package static func fits(_ base: BaseModel) -> Bool {
    base.layout.modules.contains { $0.path == "stones.0.attn1.to_q" }
  }

  package static func outline(
    of base: BaseModel, _ settings: ModelSettings
  ) throws -> PipelineOutline {
    let modules = base.layout.modules.filter { $0.role == .denoiser || $0.role == .text }
    return PipelineOutline(
      modules: modules, units: units(of: modules), latents: base.layout.family.commonLatents,
      prediction: .noise,
      skippableTextLayers: nil, tokens: PebbleText.captionLength,
      autoencoder: AutoencoderOutline(hasDecoder: true))
  }

  /// Each stone is a unit; every layer sees all places of the latents.
  private static func units(of modules: [FamilyModule]) -> [LayerUnit] {
    var units: [LayerUnit] = []
    for module in modules where module.role == .denoiser {
      let path = module.path.split(separator: ".").prefix(2).joined(separator: ".")
      if units.last?.path != path { units.append(LayerUnit(path: path)) }
      let (shape, isFirst) = (module.shape, units[units.count - 1].layers.isEmpty)
      units[units.count - 1].add(
        LayerUnit.Member(path: module.path) { size in
          let places = size.height * size.width
          return LayerCost(
            operations: 2 * Double(places) * Double(shape.count), kept: places * shape.rows,
            keptIfAdapted: places * shape.columns, boundary: isFirst ? places * shape.rows : 0)
        })
    }
    return units
  }

  package static func encoder(
    of base: BaseModel, _ settings: ModelSettings
  ) throws -> (any LatentEncoder)? { PebbleEncoder() }

  package static let drawsPictures = true

  package static func decoder(
    of base: BaseModel, _ settings: ModelSettings
  ) throws -> (any LatentDecoder)? { PebbleDecoder() }

  package static func captionEncoders(
    of base: BaseModel, _ settings: ModelSettings, checkpointsBlocks: Bool
  ) throws -> [any CaptionEncoder] {
    [
      PebbleLetters(
        component: base.layout.family.textEncoders[0],
        model: try PebbleText(
          MergedParameters(CheckpointParameters(base), settings.merged), compute: settings.compute,
          storage: settings.storage))
    ]
  }

  package init(_ base: BaseModel, _ settings: ModelSettings, checkpointsBlocks: Bool) throws {
    model = try PebbleModel(
      MergedParameters(CheckpointParameters(base), settings.merged), compute: settings.compute,
      storage: settings.storage)
  }

  package var layers: [Layer] { model.layers }

  package func condition(_ encoded: [Variable], _ sizes: [PictureSize]) -> Variable { encoded[0] }

  package func predict(
    _ noisy: Variable, at times: [Float], _ context: Variable
  ) -> Variable { model(noisy, at: times, context: context) }
}

private struct PebbleLetters: CaptionEncoder {
  let component: String
  let model: PebbleText

  var layers: [Layer] { model.layers }

  func encode(_ captions: [String]) -> [Variable] { [model.context(of: captions)] }
}

/// The mean of every 8 × 8 pixels.
private struct PebbleEncoder: LatentEncoder {
  let identity = "pebble"

  func encode(_ pictures: Tensor) -> (mean: Tensor, logVariance: Tensor) {
    let extents = pictures.shape.dimensions
    let (height, width) = (extents[1] / 8, extents[2] / 8)
    var mean = Tensor(zeros: [extents[0], height, width, 3])
    for sample in 0..<extents[0] {
      for y in 0..<8 * height {
        for x in 0..<8 * width {
          let from = ((sample * extents[1] + y) * extents[2] + x) * 3
          let to = ((sample * height + y / 8) * width + x / 8) * 3
          for c in 0..<3 { mean.elements[to + c] += pictures.elements[from + c] / 64 }
        }
      }
    }
    // The variance of a number that is known.
    return (mean, Tensor(mean.shape, Array(repeating: -30, count: mean.count)))
  }
}

/// Every place as 8 × 8 pixels.
private struct PebbleDecoder: LatentDecoder {
  func decode(_ latents: Tensor) -> Tensor {
    var pictures = Variable(latents)
    for _ in 0..<3 { pictures = pictures.upsampled() }
    return pictures.value
  }
}
