/// The change of a normalization layer, `w_norm`, and of its bias, `b_norm`, which not every norm
/// has.
///
/// Source: LyCORIS `modules/norms.py`.
package enum Norm: StoredDifference {
  package static let name = "norm"
  package static let difference = "w_norm"
  package static let biasDifference = "b_norm"
}
