extension FamilyTables {
  /// A place that a name means.
  struct Place {
    let component: Int
    let column: Int
    let match: NameTable.Match
  }

  /// The places that an adapter may mean by `name`, in any spelling of prefix and module.
  func places(named name: String) -> [Place] {
    var found: [Place] = []
    let bytes = Array(name.utf8)
    for (index, component) in definition.components.enumerated() {
      let table = tables[index]
      var prefixes = component.aliases
      for prefix in component.layouts.flatMap(\.keys) where !prefixes.contains(prefix) {
        prefixes.append(prefix)
      }
      for prefix in prefixes where bytes.starts(with: prefix.utf8) {
        let start = prefix.utf8.count
        let separator = UInt8(ascii: bytes[start...].contains(UInt8(ascii: ".")) ? "." : "_")
        let implied = (component.implied ?? "").utf8.map {
          $0 == UInt8(ascii: ".") ? separator : $0
        }
        for column in table.columns.indices {
          var matches = table.matches(
            name: bytes, from: start, separator: separator, column: column)
          if matches.isEmpty, !implied.isEmpty {
            matches = table.matches(
              name: implied + bytes[start...], from: 0, separator: separator, column: column)
          }
          found += matches.map { Place(component: index, column: column, match: $0) }
        }
      }
    }
    return found
  }
}
