/// How two files differ.
package struct FileDifference: Codable, Sendable {
  /// What was compared.
  package enum Comparison: String, Codable, Sendable {
    case tensors = "tensors as they are stored"
    case changes = "scale × ΔW of every module, whatever the names, factors and formats"
  }

  /// A tensor of both whose format or shape differs.
  package struct Reshaped: Codable, Sendable {
    package let name: String
    /// `F16 [320, 768]`
    package let here: String
    package let there: String
  }

  /// A tensor of both whose values differ, or a module that changes its weight otherwise.
  package struct Changed: Codable, Sendable {
    package let name: String
    /// ‖other − this‖_F; nil if not finite or not numbers.
    package let change: Double?
    /// Relative to ‖this‖_F.
    package let relativeChange: Double?
    /// Of the angle between the two changes of a module; nil of tensors.
    package var cosine: Double?
    /// What was compared where the module has no ΔW without the weight.
    package var note: String?
  }

  /// Over all modules of both adapters that were compared.
  package struct Total: Codable, Sendable {
    /// ‖ΔW − ΔW'‖_F / ‖ΔW‖_F; nil where this adapter changes nothing.
    package let relativeChange: Double?
    /// nil where one of them changes nothing.
    package let cosine: Double?
  }

  package let other: String
  package internal(set) var comparison = Comparison.tensors
  package internal(set) var total: Total?
  package internal(set) var onlyHere: [String] = []
  package internal(set) var onlyThere: [String] = []
  package internal(set) var reshaped: [Reshaped] = []
  /// The largest change first.
  package internal(set) var changed: [Changed] = []
  /// Tensors of the same format, shape and bytes; modules that do the same but for the last bits of f32.
  package internal(set) var equal = 0
  /// Metadata entries that differ or that one file lacks.
  package internal(set) var metadata: [String] = []

  /// Whether all tensors are equal, metadata aside.
  package var hasEqualTensors: Bool {
    onlyHere.isEmpty && onlyThere.isEmpty && reshaped.isEmpty && changed.isEmpty
  }
}
