import Autograd
import Checkpoints
import DiffusionModels
import Tensors

extension VAEEncoder: LatentEncoder {
  /// A hash of its weights, by which kept latents know whose they are.
  var identity: String {
    let hash = SHA256()
    for layer in layers {
      for tensor in [layer.weightValue, layer.bias].compactMap(\.self) {
        hash.update(unsafe tensor.elements.span.bytes)
      }
    }
    return hash.finish()
  }
}
