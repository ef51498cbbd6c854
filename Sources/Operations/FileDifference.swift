/// How two files differ.
package struct FileDifference: Codable, Sendable {
  /// A tensor of both whose format or shape differs.
  package struct Reshaped: Codable, Sendable {
    package let name: String
    /// `F16 [320, 768]`
    package let here: String
    package let there: String
  }

  /// A tensor of both whose values differ.
  package struct Changed: Codable, Sendable {
    package let name: String
    /// ‖other − this‖_F; nil if not finite or not numbers.
    package let change: Double?
    /// Relative to ‖this‖_F.
    package let relativeChange: Double?
  }

  package let other: String
  package internal(set) var onlyHere: [String] = []
  package internal(set) var onlyThere: [String] = []
  package internal(set) var reshaped: [Reshaped] = []
  /// The largest change first.
  package internal(set) var changed: [Changed] = []
  /// Tensors of the same format, shape and bytes.
  package internal(set) var equal = 0
  /// Metadata entries that differ or that one file lacks.
  package internal(set) var metadata: [String] = []

  /// Whether all tensors are equal, metadata aside.
  package var hasEqualTensors: Bool {
    onlyHere.isEmpty && onlyThere.isEmpty && reshaped.isEmpty && changed.isEmpty
  }
}
