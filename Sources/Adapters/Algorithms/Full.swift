/// The change of a layer stored whole, as `diff`, and that of its bias, as `diff_b`.
///
/// Source: LyCORIS `modules/full.py`.
package enum Full: StoredDifference {
  package static let name = "full"
  package static let difference = "diff"
  package static let biasDifference = "diff_b"
}
