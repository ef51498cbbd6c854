/// A module of a family, whatever tools call it: a row of its name table, or a part of one.
package struct ModulePlace: Hashable, Sendable {
  /// `unet`, `te1`, …
  package let component: String
  package let role: ComponentRole
  /// Rows of the table from outermost to innermost, and the numbers in them.
  let rows: [Int]
  let numbers: [Int]
  /// Which of the parts of a weight that other spellings fuse; nil for the whole.
  package let part: Int?
  /// The column of the name that meant the place: the order of the rows may depend on it.
  let column: Int

  /// The place of the weight that this is a part of, or the place itself.
  package var whole: ModulePlace {
    ModulePlace(
      component: component, role: role, rows: rows, numbers: numbers, part: nil, column: column)
  }

  /// The same place, by whatever name.
  package static func == (a: ModulePlace, b: ModulePlace) -> Bool {
    a.component == b.component && a.rows == b.rows && a.numbers == b.numbers && a.part == b.part
  }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(component)
    hasher.combine(rows)
    hasher.combine(numbers)
    hasher.combine(part)
  }
}

/// What a format calls a place.
package enum PlaceSpelling: Equatable, Sendable {
  /// One name for the same weight. With `swapsHalves` the upper half of its rows is the lower one there.
  case same(String, swapsHalves: Bool)
  /// The weight is kept in parts: their names in the order of the rows, and how many rows each has
  /// relative to the others.
  case parts(names: [String], shares: [Int])
  /// The weight is one of several parts that are one weight there; `shares` of all of them.
  case part(of: String, index: Int, shares: [Int])
}
