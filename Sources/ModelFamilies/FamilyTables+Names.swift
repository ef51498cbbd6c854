extension FamilyTables {
  /// A place that a name means.
  struct Place {
    let component: Int
    let column: Int
    let match: NameTable.Match
  }

  /// The places that an adapter may mean by `name`, in any spelling of prefix and module. Where one
  /// spelling calls a place as another calls a different one, what some format writes goes before what
  /// none does. Some programs write some of the dots as underscores: `lora_unet_blocks_0.self_attn.k`.
  func places(named name: String) -> [Place] {
    let found = places(named: name, isMixed: false)
    return found.isEmpty && name.contains(".") && name.contains("_")
      ? places(named: name, isMixed: true) : found
  }

  /// - Parameter isMixed: whether a dot may be an underscore after the prefix. An underscore of the name is
  ///   never a dot.
  private func places(named name: String, isMixed: Bool) -> [Place] {
    var found: [Place] = []
    var written: [Place] = []
    let spelled = Array(name.utf8)
    for (index, component) in definition.components.enumerated() {
      let table = tables[index]
      for prefix in prefixes[index] where spelled.starts(with: prefix.utf8) {
        let start = prefix.utf8.count
        let bytes = isMixed ? prefix.utf8 + name.utf8.dropFirst(start).underscored : spelled
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
          if isMixed {
            matches.removeAll { match in
              let own = table.name(of: match, column: column, part: match.part) ?? ""
              return zip(own.utf8.reversed(), spelled[start...].reversed()).contains {
                $1 == UInt8(ascii: ".") && $0 != $1
              }
            }
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
