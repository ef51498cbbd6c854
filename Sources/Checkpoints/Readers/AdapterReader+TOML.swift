import Adapters
import ModelFamilies
import Patterns

extension AdapterReader {
  /// In the order in which they are named to users.
  private static let tables = EmbeddedFolder("ReaderTables", of: EmbeddedTables.files).inOrder
    .map(\.table)

  package static let all = tables.map { AdapterReader($0) }

  /// The name of each and the other words for it, read without its patterns, which take a while to compile.
  package static let words = tables.map {
    (name: $0.string("name"), others: $0.strings(ifAny: "words") ?? [])
  }

  private init(_ table: EmbeddedTable) {
    table.expect(
      "name", "title", "order", "words", "source", "writes", "writes-for", "namings", "families",
      "algorithms",
      "most-unknown", "rows")
    name = table.string("name")
    title = table.string("title")
    words = table.strings(ifAny: "words") ?? []
    source = table.string("source")
    format = Self.word(table.string("writes"))
    formatByFamily = table.table(ifAny: "writes-for")?.entries { Self.word($0.string($1)) } ?? [:]
    let namings = table.table("namings").entries { Self.word($0.string($1)) as Naming }
    self.namings = Dictionary(uniqueKeysWithValues: namings.map { (Self.word($0.key), $0.value) })
    families = table.strings(ifAny: "families")
    verdicts = table.table("algorithms").entries { Self.word($0.string($1)) }
    mostUnknown = table.integer(ifAny: "most-unknown")
    rows = (table.tables(ifAny: "rows") ?? []).map(Row.init)
  }

  fileprivate static func word<Word: RawRepresentable<String>>(_ text: String) -> Word {
    guard let word = Word(rawValue: text) else {
      preconditionFailure("embedded table: '\(text)' is no \(Word.self)")
    }
    return word
  }
}

extension AdapterReader.Row {
  fileprivate init(_ table: EmbeddedTable) {
    table.expect(
      "algorithms", "traits", "any", "families", "formats", "names", "outside", "verdict", "what",
      "reason",
      "error", "unknown", "remedy", "source")
    algorithms = table.strings(ifAny: "algorithms")
    traits = Set((table.strings(ifAny: "traits") ?? []).map(AdapterReader.word))
    alternatives = Set((table.strings(ifAny: "any") ?? []).map(AdapterReader.word))
    families = table.strings(ifAny: "families")
    formats = table.strings(ifAny: "formats")?.map(AdapterReader.word)
    names = table.string(ifAny: "names").map(Self.pattern)
    outside = table.string(ifAny: "outside").map(Self.pattern)
    verdict = AdapterReader.word(table.string("verdict"))
    what = table.string("what")
    reason = table.string(ifAny: "reason")
    error = table.numbers(ifAny: "error") ?? []
    unknown = Set(table.strings(ifAny: "unknown") ?? [])
    remedy = table.string(ifAny: "remedy")
    source = table.string("source")
  }

  private static func pattern(_ text: String) -> NamePattern {
    do {
      return try NamePattern(text, as: .expression)
    } catch {
      preconditionFailure("embedded table: '\(text)': \(error)")
    }
  }
}
