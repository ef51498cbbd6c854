import FoundationEssentials
import Machine
package import SystemPackage

extension TrainingHistory {
  /// The name of the element `meta` of a page that holds a description of the run with its history, in base64.
  package static let marker = "lyco-history"
  /// The most bytes of a page or a table that are read again.
  private static let mostBytes = 256 << 20

  /// The earlier history of a run that goes on: norms and pictures from its page, or from its description in JSON; the
  /// numbers of steps from its table where it has one up to the step, since a table has all of them, else from the page.
  /// Files that are of no such run, or damaged, count for nothing.
  /// - Parameters:
  ///   - page: what was written beside an earlier part of the run.
  ///   - table: of `--log_csv`
  ///   - step: the last one that both have.
  package init(resuming page: FilePath, table: FilePath?, upTo step: Int) {
    self = Self.read(page) ?? TrainingHistory()
    cut(after: step)
    if let found = table.flatMap({ Self.table($0, upTo: step) }), found.step >= self.step {
      replaceSeries(by: found)
    }
  }

  /// What a page or a JSON file of this kind holds; nil for any other file.
  package static func read(_ path: FilePath) -> TrainingHistory? {
    guard let bytes = try? InputFile.bytes(of: path, atMost: mostBytes) else { return nil }
    var data = Data(bytes)
    let text = String(decoding: bytes, as: UTF8.self)
    if let start = text.firstRange(of: "<meta name=\"\(marker)\" content=\"") {
      let content = text[start.upperBound...].prefix { $0 != "\"" }
      guard let found = Data(base64Encoded: String(content)) else { return nil }
      data = found
    }
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    if let report = try? decoder.decode(Described.self, from: data), report.history.version == 1 {
      return report.history
    }
    return nil
  }

  private struct Described: Decodable { let history: TrainingHistory }

  /// What `TableLog` wrote.
  private static func table(_ path: FilePath, upTo step: Int) -> TrainingHistory? {
    guard let bytes = try? InputFile.bytes(of: path, atMost: mostBytes) else { return nil }
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    guard let header = lines.first.map({ names(of: $0) }), header.starts(with: ["step", "epoch"])
    else { return nil }
    var history = TrainingHistory()
    for line in lines.dropFirst() {
      let cells = line.split(separator: ",", omittingEmptySubsequences: false)
      guard cells.count == header.count, let number = Int(cells[0]), let epoch = Int(cells[1]),
        number <= step, number >= history.step
      else { break }
      let scalars = zip(header, cells).dropFirst(2).compactMap { name, cell in
        Double(cell).map { (tag: name, value: $0) }
      }
      history.append(scalars, step: number, epoch: epoch)
    }
    return history.step > 0 ? history : nil
  }

  /// Of the first line; a name in quotes may hold commas, and quotes twice.
  private static func names(of line: Substring) -> [String] {
    var (names, name, isQuoted) = ([String](), "", false)
    var rest = line
    while let character = rest.popFirst() {
      switch character {
      case "\"" where isQuoted && rest.first == "\"": name.append(rest.removeFirst())
      case "\"": isQuoted.toggle()
      case "," where !isQuoted:
        names.append(name)
        name = ""
      default: name.append(character)
      }
    }
    return names + [name]
  }
}
