import Autograd
package import ModelFamilies
import Tensors

extension ModelSettings {
  /// Bytes of a frozen weight, as it is held.
  package func bytes(of module: FamilyModule) -> Int { bytes(of: module, inEightBits: holdsInt8) }

  /// The same whatever was asked for.
  /// - Parameter inEightBits: whether linear layers have 8 bits, or as many as they are multiplied with.
  func bytes(of module: FamilyModule, inEightBits: Bool) -> Int {
    let width = compute == .bf16 ? 2 : 4
    let bytes = inEightBits && module.kind == .linear ? 1 : width
    return module.shape.count * (module.kind == .embedding ? 4 : bytes)
  }
}
