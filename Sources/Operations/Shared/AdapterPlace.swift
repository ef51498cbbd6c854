import ModelFamilies

/// Where in a model an adapter's module is, read from its name.
struct AdapterPlace: Hashable, Sendable {
  /// `unet`, `te1`, …; `model` if the name does not say.
  let component: String
  let role: ComponentRole
  /// The first two parts of the name between numbers, the layer itself left out: `double_blocks`,
  /// `down_blocks.attentions`; the name of a layer that lies in no block.
  let block: String

  /// - Parameter family: whose names tell the component where they do not say it themselves, as in the file
  ///   that PEFT writes of one component.
  init(_ name: String, in family: FamilyNames? = nil) {
    let slash = name.firstIndex(of: "/")
    let folder = slash.flatMap { slash in
      let beginning = name[..<slash] + "."
      return NamePrefix.ofComponent(beginning).flatMap { $0.text == beginning ? $0.component : nil }
    }
    let known = NamePrefix.ofComponent(Self.inner(name))
    var component = folder ?? known?.component ?? ModelFamily.genericComponent
    if component == ModelFamily.genericComponent, let family {
      let found = Set(family.places(named: name).map(\.component))
      if found.count == 1 { component = found.first! }
    }
    self.component = component
    role = family?.role(of: component) ?? ComponentRole(of: component)
    var parts: [String] = [""]
    for word in Self.path(of: name).split(whereSeparator: { $0 == "." || $0 == "_" }) {
      if word.allSatisfy(\.isNumber) {
        if parts.last != "" { parts.append("") }
      } else {
        parts[parts.count - 1] += (parts.last == "" ? "" : "_") + word
      }
    }
    let blocks = parts.dropLast().prefix(2)
    block = blocks.isEmpty ? parts[0] : blocks.joined(separator: ".")
  }
  /// What stands behind the prefix of the component: `down_blocks_0_…`.
  static func path(of name: String) -> Substring {
    let inner = inner(name)
    return inner.dropFirst(NamePrefix.ofComponent(inner)?.text.count ?? 0)
  }

  /// In a folder of components, the name of the folder stands before the others.
  private static func inner(_ name: String) -> Substring {
    name.firstIndex(of: "/").map { name[name.index(after: $0)...] } ?? name[...]
  }
}
