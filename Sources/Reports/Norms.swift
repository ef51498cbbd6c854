extension [Double] {
  /// √Σx²: the Frobenius norm of a whole whose parts have these norms; 0 of none.
  package var normOfWhole: Double { reduce(0) { $0 + $1 * $1 }.squareRoot() }
}
