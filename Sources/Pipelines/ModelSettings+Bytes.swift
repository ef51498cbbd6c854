import Autograd
package import ModelFamilies
import Tensors

extension ModelSettings {
  /// Bytes of a frozen weight, as it is multiplied.
  package func bytes(of module: FamilyModule) -> Int {
    let width = compute == .bf16 ? 2 : 4
    let bytes = holdsInt8 && module.kind == .linear ? 1 : width
    return module.shape.count * (module.kind == .embedding ? 4 : bytes)
  }
}
