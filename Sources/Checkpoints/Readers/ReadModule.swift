package import Adapters
package import Tensors

/// A module of an adapter as programs that load it see it: what it is called, and what kind of module it is.
package struct ReadModule: Sendable {
  /// The part of its keys before the suffix.
  package let name: String
  package let algorithm: String
  package var traits: Set<ModuleTrait>
  /// Of its tensors, alpha excepted, which every program looks for.
  package let suffixes: Set<String>

  /// - Parameter suffixes: none where only the kind is known yet.
  package init(
    name: String, algorithm: String, traits: Set<ModuleTrait>, suffixes: Set<String> = []
  ) {
    self.name = name
    self.algorithm = algorithm
    self.traits = traits
    self.suffixes = suffixes
  }

  package init(
    name: String, _ algorithm: any AdapterAlgorithm.Type, _ shapes: [String: Shape], alpha: Float?
  ) {
    self.init(
      name: name, algorithm: algorithm.name,
      traits: ModuleTrait.traits(of: shapes, in: algorithm, alpha: alpha),
      suffixes: Set(shapes.keys))
  }

  /// `lora`, or `lora + dora` where magnitudes are stored apart.
  var kind: String {
    traits.isDisjoint(with: [.outputMagnitudes, .inputMagnitudes])
      ? algorithm : algorithm + " + dora"
  }
}
