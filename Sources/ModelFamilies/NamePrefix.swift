/// What adapters write before the names of modules, whatever the family. Families have more in their `aliases`.
package struct NamePrefix: Sendable {
  package let text: String
  /// What it says of the component: `unet`, `te1`; `model` for any; nil where it is no more than a beginning.
  package let component: String?
  /// Beginnings of a checkpoint's keys that it may stand for.
  let keys: [String]

  static let all: [NamePrefix] =
    EmbeddedFolder("Prefixes", of: EmbeddedTables.files).table("general").tables("components")
    .flatMap { table in
      table.expect("name", "adapters", "keys")
      let (name, keys) = (table.string(ifAny: "name"), table.strings("keys"))
      return table.strings("adapters").map { NamePrefix(text: $0, component: name, keys: keys) }
    }

  private static let ofComponents = all.filter { $0.component != nil }
    .map { (bytes: Array($0.text.utf8), prefix: $0) }
    .sorted { $0.bytes.count > $1.bytes.count }

  /// The longest that the name begins with and that says a component.
  package static func ofComponent(_ name: Substring) -> NamePrefix? {
    // By bytes in arrays: by characters, or by a generic sequence, it would take a fifth of an inspection.
    let bytes = Array(name.utf8)
    return ofComponents.first { bytes.starts(with: $0.bytes) }?.prefix
  }
}
