package import ArgumentParser
import Machine

/// Entries of the metadata that are set by hand.
package struct MetadataEntryOptions: ParsableArguments {
  @Option(
    name: .customLong("set_meta"),
    help: ArgumentHelp(
      "Set an entry of the metadata, such as title=…, author=… or any key of the file; an empty value "
        + "removes it. Several.", valueName: "key=value"))
  package var entries: [String] = []

  package init() {}

  /// Words for entries that have a longer name in files.
  private static let names: [String: String] = {
    let words = [
      "title", "author", "description", "license", "tags", "date", "usage_hint", "trigger_phrase",
      "merged_from", "thumbnail", "resolution", "architecture", "implementation",
      "prediction_type", "timestep_range", "encoder_layer", "preprocessor",
    ]
    var names = Dictionary(uniqueKeysWithValues: words.map { ($0, "modelspec.\($0)") })
    names["comment"] = "ss_training_comment"
    names["name"] = "ss_output_name"
    return names
  }()

  /// By the keys of the file; what is set last counts.
  package var added: [String: String] {
    Dictionary(entries.compactMap(Self.split), uniquingKeysWith: { $1 })
  }

  package func validate() throws {
    if let entry = entries.first(where: { Self.split($0) == nil }) {
      throw ValidationError("'--set_meta': expected key=value, found '\(entry)'")
    }
    if let entry = entries.first(where: \.hasEscapes) {
      throw ValidationError("'--set_meta': expected UTF-8, found '\(entry)'")
    }
  }

  private static func split(_ entry: String) -> (String, String)? {
    guard let end = entry.firstIndex(of: "="), end > entry.startIndex else { return nil }
    let key = String(entry[..<end])
    return (names[key.lowercased()] ?? key, String(entry[entry.index(after: end)...]))
  }
}
