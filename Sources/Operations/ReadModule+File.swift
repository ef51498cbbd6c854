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
    let others = PEFTConfiguration.namesOfOtherShapes(
      modules.map { (name: $0.name, algorithm: $0.algorithm, shapes: $0.shapes) })
    return modules.map { name, algorithm, shapes, alpha in
      var module = ReadModule(name: name, algorithm, shapes, alpha: alpha)
      if others.contains(name) { module.traits.insert(.otherFactor) }
      return module
    }
  }
}
