package import Tensors

/// What is wrong with the factors of one module. File and module are added by those who know them.
package enum AdapterError: Error, Equatable {
  case missingFactor(String)
  case factorShape(String, expected: String, found: Shape)
  case residualIndex(row: Int, column: Int, shape: Shape)
  case settings(String, expected: String, found: String)
}

extension AdapterError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .missingFactor(let suffix): "'\(suffix)' is missing"
    case .factorShape(let suffix, let expected, let found):
      "'\(suffix)': expected shape \(expected), found \(found)"
    case .residualIndex(let row, let column, let shape):
      "'bias_indices': position (\(row), \(column)) lies outside \(shape)"
    case .settings(let setting, let expected, let found):
      "\(setting): expected \(expected), found \(found)"
    }
  }
}
