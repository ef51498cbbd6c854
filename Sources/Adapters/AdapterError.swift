public import Tensors

/// What is wrong with the factors of one module. File and module are added by those who know them.
///
/// Its description is one line that says what was expected and found. Cases may be added.
@nonexhaustive
public enum AdapterError: Error, Equatable {
  /// A tensor without which the others mean nothing.
  case missingFactor(String)
  /// A tensor does not go with the others, or with the weight.
  case factorShape(String, expected: String, found: Shape)
  /// A sparse residual has a place outside of the weight.
  case residualIndex(row: Int, column: Int, shape: Shape)
  /// A new adapter cannot be made with this setting.
  case settings(String, expected: String, found: String)
  /// The tensors, by their names, are those of no algorithm, or of several that are named.
  case unrecognized([String], algorithms: [String])
  /// A T-LoRA, which changes a weight by its difference from what it began with: the file does not hold that.
  case unknownBeginning
}

extension AdapterError: CustomStringConvertible {
  /// One line without file and module.
  public var description: String {
    switch self {
    case .missingFactor(let suffix): "'\(suffix)' is missing"
    case .factorShape(let suffix, let expected, let found):
      "'\(suffix)': expected shape \(expected), found \(found)"
    case .residualIndex(let row, let column, let shape):
      "'bias_indices': position (\(row), \(column)) lies outside \(shape)"
    case .settings(let setting, let expected, let found):
      "\(setting): expected \(expected), found \(found)"
    case .unrecognized(let names, let algorithms):
      "expected the tensors of one algorithm, found "
        + (algorithms.count > 1
          ? "those of \(algorithms.joined(separator: " and "))"
          : names.isEmpty ? "none" : "'\(names.joined(separator: "', '"))'")
    case .unknownBeginning:
      "expected what training began with, found none: the file of a T-LoRA does not hold the singular "
        + "vectors from which it learned the difference"
    }
  }
}
