/// A TOML table in a form that is read without parsing, for documents that are part of a program.
///
/// It is a text of values one behind the other, each after a letter for its kind and its length in bytes: `s5:hello`,
/// `i2:42`, `f3:0.5`, `b1:1`, `d10:1979-05-27`, `a…:` and the values of an array, `t…:` and the keys and values of a
/// table. So a reader passes over what it does not look for.
package struct PackedTable: Sendable {
  /// Whose keys, as texts, and values stand in turn.
  private let whole: PackedValue

  /// The table that `TOMLTable.packed` wrote. Traps where the text is no such table.
  package init(_ text: String) {
    guard let table = PackedValue(text).table else {
      preconditionFailure("packed table: expected a table, found '\(text.prefix(20))'")
    }
    self = table
  }

  init(of whole: PackedValue) { self.whole = whole }

  /// In the order of the document.
  package var keys: [String] {
    var keys: [String] = []
    var rest = whole.payload
    while let key = whole.next(&rest), whole.next(&rest) != nil { keys.append(key.text) }
    return keys
  }

  /// - Complexity: linear in the number of keys before that one.
  package subscript(_ key: String) -> PackedValue? {
    var rest = whole.payload
    while let found = whole.next(&rest), let value = whole.next(&rest) {
      if found.isText(key) { return value }
    }
    return nil
  }

  /// The same table, read whole.
  package var table: TOMLTable {
    var table = TOMLTable()
    var rest = whole.payload
    while let key = whole.next(&rest), let value = whole.next(&rest) {
      table.append(key.text, value.whole)
    }
    return table
  }
}

extension TOMLTable {
  /// The table as `PackedTable` reads it.
  package var packed: String {
    PackedValue.pack(
      .table, keys.map { PackedValue.pack(.string($0)) + PackedValue.pack(self[$0]!) })
  }
}
