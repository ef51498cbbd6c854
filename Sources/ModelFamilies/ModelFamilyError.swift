/// Why a checkpoint could not be read as the family that was asked for.
package enum ModelFamilyError: Error, Hashable, Sendable {
  /// Fewer than half of the keys belong to the family; `first` are the first of the `count` others.
  case foreignKeys(family: String, first: [String], count: Int, total: Int)
}

extension ModelFamilyError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .foreignKeys(let family, let first, let count, let total):
      let names = first.map { "'\($0)'" }.joined(separator: ", ")
      return "family '\(family)': expected its keys, found \(count) of \(total) that do not belong "
        + "(\(names)\(count > first.count ? ", …" : "")); choose another '--family'"
    }
  }
}
