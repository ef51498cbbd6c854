/// Free factors for the rows x of a matrix X that bring them nearest to the rows y of another, Y.
package struct RowScaling {
  /// ⟨x, y⟩ / ‖x‖², the solutions of least squares.
  package let factors: [Double]
  /// How much of ‖Y‖² the scaled rows hold.
  package let kept: Double

  /// - Parameters:
  ///   - products: ⟨x, y⟩ of every row.
  ///   - energies: ‖x‖² of every row.
  ///   - empty: the factor of a row of zeros, for which any will do.
  package init(products: [Double], energies: [Double], empty: Double) {
    factors = zip(products, energies).map { $1 > 0 ? $0 / $1 : empty }
    kept = zip(factors, products).reduce(0) { $0 + $1.0 * $1.1 }
  }

  /// What a rotation of X should make of it next, while the factors stand, as weights of the rows of X
  /// and Y: Z = X − D(D·X − Y) / max d². nil where all factors are 0.
  ///
  /// ‖D·X' − Y‖² lies below ‖X' − Z‖² · max d² and a constant, equal at X' = X (Kiers 1990,
  /// "Majorization as a tool for optimizing a class of matrix functions").
  package var majorizer: (own: [Double], target: [Double])? {
    let bound = factors.reduce(0) { max($0, $1 * $1) }
    guard bound > 0 else { return nil }
    return (factors.map { 1 - $0 * $0 / bound }, factors.map { $0 / bound })
  }
}
