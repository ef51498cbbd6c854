import TOML

/// A table of a file that is part of the program. A mistake in one is a defect that every test meets, so it
/// traps, with the key.
struct EmbeddedTable {
  private let table: TOMLTable

  private init(_ table: TOMLTable) { self.table = table }

  init(_ bytes: [UInt8]) {
    do {
      table = try TOMLParser.table(parsing: bytes)
    } catch {
      preconditionFailure("embedded family table: \(error)")
    }
  }

  func string(ifAny key: String) -> String? { value(key, "a text", \.string) }
  func strings(ifAny key: String) -> [String]? { value(key, "a list of texts", \.strings) }
  func table(ifAny key: String) -> EmbeddedTable? {
    value(key, "a table", \.table).map(EmbeddedTable.init)
  }
  func lists(ifAny key: String) -> [String: [String]]? {
    table(ifAny: key)?.entries { $0.strings($1) }
  }

  func string(_ key: String) -> String { required(key, string(ifAny: key)) }
  func strings(_ key: String) -> [String] { required(key, strings(ifAny: key)) }
  func table(_ key: String) -> EmbeddedTable { required(key, table(ifAny: key)) }
  func integer(_ key: String) -> Int { required(key, value(key, "an integer", \.integer)) }
  func integers(_ key: String) -> [Int] {
    let values = required(key, value(key, "a list of integers", \.array))
    return values.map { required(key, $0.integer) }
  }
  func tables(_ key: String) -> [EmbeddedTable] {
    let values = required(key, value(key, "a list of tables", \.array))
    return values.map { EmbeddedTable(required(key, $0.table)) }
  }

  /// All keys with what is read of them.
  func entries<T>(_ read: (EmbeddedTable, String) -> T) -> [String: T] {
    Dictionary(uniqueKeysWithValues: table.keys.map { ($0, read(self, $0)) })
  }

  private func value<T>(_ key: String, _ expected: String, _ read: (TOMLValue) -> T?) -> T? {
    guard let value = table[key] else { return nil }
    guard let read = read(value) else {
      preconditionFailure("embedded family table: '\(key)' is not \(expected)")
    }
    return read
  }

  private func required<T>(_ key: String, _ value: T?) -> T {
    guard let value else { preconditionFailure("embedded family table: '\(key)' is missing") }
    return value
  }
}
