package import TOML

/// A table of a file that is part of the program. A mistake in one is a defect that every test meets, so it
/// traps, with the key.
package struct EmbeddedTable: Sendable {
  private let table: PackedTable

  private init(_ table: PackedTable) { self.table = table }

  /// - Parameter packed: see `PackedTable`.
  package init(packed: String) { table = PackedTable(packed) }

  /// All of it, for what reads the same keys in files of users.
  package var toml: TOMLTable { table.table }

  package func string(ifAny key: String) -> String? { value(key, "a text", \.string) }
  package func strings(ifAny key: String) -> [String]? { value(key, "a list of texts", \.strings) }
  package func bool(ifAny key: String) -> Bool? { value(key, "true or false", \.bool) }
  package func integer(ifAny key: String) -> Int? { value(key, "an integer", \.integer) }
  package func number(ifAny key: String) -> Double? { value(key, "a number", \.number) }
  package func numbers(ifAny key: String) -> [Double]? {
    value(key, "a list of numbers", \.array)?.map { required(key, $0.number) }
  }
  package func stringLists(ifAny key: String) -> [[String]]? {
    value(key, "a list of lists of texts", \.array)?.map { required(key, $0.strings) }
  }
  package func table(ifAny key: String) -> EmbeddedTable? {
    value(key, "a table", \.table).map(EmbeddedTable.init)
  }
  package func lists(ifAny key: String) -> [String: [String]]? {
    table(ifAny: key)?.entries { $0.strings($1) }
  }

  /// One of the words of an enumeration.
  package func word<Word: RawRepresentable<String>>(ifAny key: String) -> Word? {
    string(ifAny: key).map { text in
      guard let word = Word(rawValue: text) else {
        preconditionFailure("embedded table: '\(key)': '\(text)' is no \(Word.self)")
      }
      return word
    }
  }

  package func word<Word: RawRepresentable<String>>(_ key: String) -> Word {
    required(key, word(ifAny: key))
  }

  package func string(_ key: String) -> String { required(key, string(ifAny: key)) }
  package func strings(_ key: String) -> [String] { required(key, strings(ifAny: key)) }
  package func table(_ key: String) -> EmbeddedTable { required(key, table(ifAny: key)) }
  package func integer(_ key: String) -> Int { required(key, integer(ifAny: key)) }
  package func number(_ key: String) -> Double { required(key, number(ifAny: key)) }
  package func integers(_ key: String) -> [Int] {
    let values = required(key, value(key, "a list of integers", \.array))
    return values.map { required(key, $0.integer) }
  }
  package func tables(_ key: String) -> [EmbeddedTable] { required(key, tables(ifAny: key)) }
  package func tables(ifAny key: String) -> [EmbeddedTable]? {
    value(key, "a list of tables", \.array)?.map { EmbeddedTable(required(key, $0.table)) }
  }

  /// Traps at a key that is none of these.
  package func expect(_ known: String...) {
    for key in table.keys where !known.contains(key) {
      preconditionFailure("embedded table: expected \(known), found '\(key)'")
    }
  }

  /// All keys with what is read of them.
  package func entries<T>(_ read: (EmbeddedTable, String) -> T) -> [String: T] {
    Dictionary(uniqueKeysWithValues: table.keys.map { ($0, read(self, $0)) })
  }

  private func value<T>(_ key: String, _ expected: String, _ read: (PackedValue) -> T?) -> T? {
    guard let value = table[key] else { return nil }
    guard let read = read(value) else {
      preconditionFailure("embedded table: '\(key)' is not \(expected)")
    }
    return read
  }

  private func required<T>(_ key: String, _ value: T?) -> T {
    guard let value else { preconditionFailure("embedded table: '\(key)' is missing") }
    return value
  }
}
