import Adapters
import Checkpoints
import SystemPackage
import Tensors

/// The code in the documentation of `Adapters` and `Checkpoints`. It reads `model.safetensors`, a model
/// of no known family, and `adapter.safetensors`, a LoRA of it.
enum AdapterSnippets {
  static func run() throws {
    try recognizing()
    try listing()
    try applying()
  }

  private static func recognizing() throws {
    let adapter = try Adapter(
      recognizing: [
        "lora_up.weight": Tensor([2, 1], [1, 2]), "lora_down.weight": Tensor([1, 2], [3, 4]),
        "alpha": Tensor([], [0.5]),
      ], for: [2, 2])
    print(adapter.algorithmName)  // lora
    let adapted = try adapter.adapt(weight: Tensor(zeros: [2, 2]), multiplier: 1)
    print(adapted.elements)  // [1.5, 2, 3, 4]
    precondition(adapter.algorithmName == "lora")
    precondition(adapted.elements == [1.5, 2, 3, 4])
  }

  private static func listing() throws {
    let adapter = try AdapterFile(opening: "adapter.safetensors")
    for module in adapter.modules { print(module.name, module.algorithmName) }
    precondition(!adapter.modules.isEmpty)
  }

  private static func applying() throws {
    let base = try BaseModel(opening: "model.safetensors")
    for module in try AdapterFile(opening: "adapter.safetensors").modules {
      guard let weight = try base.weight(of: module) else { continue }
      let adapted = try module.applied(to: weight, multiplier: 0.7)
      print(module.name, adapted.squaredDistance(to: weight).squareRoot())
    }
    precondition(base.familyName == "generic")
  }
}
