import Autograd
import Checkpoints
package import DiffusionModels
import Tensors

extension VAEEncoder: LatentEncoder {
  package var identity: String {
    let hash = SHA256()
    for layer in layers {
      for tensor in [layer.weightValue, layer.bias].compactMap(\.self) {
        hash.update(unsafe tensor.elements.span.bytes)
      }
    }
    return hash.finish()
  }
}
