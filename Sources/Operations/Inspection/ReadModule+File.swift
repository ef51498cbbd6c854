import Adapters
import Checkpoints
import Tensors

extension ReadModule {
  /// The modules of one file as programs find them, marked with what only all of them tell.
  /// - Parameter modules: what stands before the suffix of their keys, the shapes of their tensors by suffix, and
  ///   the alpha that is stored; nil for none.
  static func modules(
    ofFile modules: [(
      name: String, algorithm: any AdapterAlgorithm.Type, shapes: [String: Shape], alpha: Float?
    )]
  ) -> [ReadModule] {
    let named = modules.map { (name: $0.name, algorithm: $0.algorithm, shapes: $0.shapes) }
    let ofOtherShapes = PEFTConfiguration.namesOfOtherShapes(named)
    let ofOtherParts = PEFTConfiguration.namesOfOtherParts(named)
    // Source: ComfyUI `comfy/lora_convert.py`, `convert_lora`.
    let controls = Set(["img_in", "single_blocks.0.norm.key_norm"])
    let isControl = controls.isSubset(of: modules.map(\.name))
    return modules.map { name, algorithm, shapes, alpha in
      var module = ReadModule(name: name, algorithm, shapes, alpha: alpha)
      if ofOtherShapes.contains(name) { module.traits.insert(.otherFactor) }
      if !isControl { module.traits.insert(.withoutControl) }
      if ofOtherParts.contains(name) { module.traits.insert(.otherParts) }
      return module
    }
  }
}
