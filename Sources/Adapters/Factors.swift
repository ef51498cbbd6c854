import LinearAlgebra
import Tensors

/// The state of one adapted module: its tensors by canonical suffix, and alpha / rank.
package struct Factors<V> {
  package var values: [String: V]

  /// alpha / rank, which multiplies the product of the factors; 1 where alpha is missing.
  package var scale: Float

  /// The number beside the factors, for algorithms to which it is not a scale.
  package var alpha: Float?

  package init(_ values: [String: V], scale: Float = 1, alpha: Float? = nil) {
    self.values = values
    self.scale = scale
    self.alpha = alpha
  }

  package subscript(_ suffix: String) -> V? { values[suffix] }

  /// The same factors, some of them restricted to a range of rows.
  func restricting(_ suffixes: [String], toRows rows: Range<Int>) -> Factors
  where V: TensorAlgebra {
    var restricted = self
    for suffix in suffixes { restricted.values[suffix] = values[suffix]?.rows(rows) }
    return restricted
  }

  /// - Throws: `AdapterError.missingFactor`
  package func require(_ suffix: String) throws(AdapterError) -> V {
    guard let value = values[suffix] else { throw .missingFactor(suffix) }
    return value
  }
}

extension Factors: Sendable where V: Sendable {}
