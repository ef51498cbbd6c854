import Checkpoints
import ModelFamilies
import Safetensors
import Tensors

extension ModelLoadingError {
  /// That the last layer of a transformer makes latents of patches of two by two.
  /// - Throws: `ModelLoadingError.videoOutputs`
  static func requireOutputs(
    of layer: String, _ parameters: CheckpointParameters, _ latents: LatentLayout
  ) throws(ModelLoadingError) {
    let expected = 4 * latents.channels
    guard let rows = parameters.shape("unet", layer, "weight")?.rows, rows != expected else {
      return
    }
    throw .videoOutputs(parameters.base.file.path, expected: expected, found: rows)
  }
}
