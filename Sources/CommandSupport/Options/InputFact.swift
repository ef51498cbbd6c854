/// What only the inputs tell of a command, for the conditions of options.
package struct InputFact: Sendable {
  /// As conditions name it: `input`, `inputs`.
  package let name: String
  package let value: String
  /// For messages: `a.safetensors, which is an adapter`.
  package let found: String

  package init(_ name: String, _ value: String, found: String) {
    self.name = name
    self.value = value
    self.found = found
  }

  /// A value as messages say it.
  package static func text(_ value: String) -> String {
    switch value {
    case "adapter": "an adapter"
    case "checkpoint": "a checkpoint"
    case "several": "several inputs"
    default: value
    }
  }
}
