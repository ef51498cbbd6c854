import ArgumentParser
import Operations

/// What becomes of the metadata.
struct MetadataOptions: ParsableArguments {
  @Option(
    name: .customLong("metadata"),
    help: ArgumentHelp(
      "keep: the source's, with what has changed corrected. minimal: what loaders need. none.",
      valueName: "policy"))
  var chosenPolicy: MetadataPolicy = .keep

  @Flag(name: .customLong("no_metadata"), help: "The same as '--metadata none'.")
  var omitsMetadata = false

  @Option(
    name: .customLong("set_meta"),
    help: ArgumentHelp(
      "Set an entry, whatever the policy; an empty value removes it. Several.",
      valueName: "key=value"))
  var entries: [String] = []

  var policy: MetadataPolicy { omitsMetadata ? .none : chosenPolicy }

  /// Entries to be set.
  var added: [String: String] {
    Dictionary(entries.compactMap(Self.split), uniquingKeysWith: { $1 })
  }

  func validate() throws {
    if let entry = entries.first(where: { Self.split($0) == nil }) {
      throw ValidationError("'--set_meta': expected key=value, found '\(entry)'")
    }
  }

  private static func split(_ entry: String) -> (String, String)? {
    guard let end = entry.firstIndex(of: "="), end > entry.startIndex else { return nil }
    return (String(entry[..<end]), String(entry[entry.index(after: end)...]))
  }
}

extension MetadataPolicy: ExpressibleByArgument {}
