extension FamilyTables {
  /// A place that a name means.
  struct Place {
    let component: Int
    let column: Int
    let match: NameTable.Match
  }

  /// The places that an adapter may mean by `name`, in any spelling of prefix and module. Where one
  /// spelling calls a place as another calls a different one, what some format writes goes before what
  /// none does.
  func places(named name: String) -> [Place] {
    var found: [Place] = []
    var written: [Place] = []
    let bytes = Array(name.utf8)
    for (index, component) in definition.components.enumerated() {
      let table = tables[index]
      for prefix in prefixes[index] where bytes.starts(with: prefix.utf8) {
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
          let places = matches.map { Place(component: index, column: column, match: $0) }
          found += places
          if isWritten(prefix, before: column, of: index) { written += places }
        }
      }
    }
    return written.isEmpty ? found : written
  }
}
