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
    component = Self.component(of: name, in: family)
    role = family?.role(of: component) ?? ComponentRole(of: component)
    var parts: [String] = [""]
    for word in Self.path(of: name).utf8.split(whereSeparator: {
      $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "_")
    }) {
      if word.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }) {
        if parts.last != "" { parts.append("") }
      } else {
        parts[parts.count - 1] += (parts.last == "" ? "" : "_") + String(Substring(word))
      }
    }
    let blocks = parts.dropLast().prefix(2)
    block = blocks.isEmpty ? parts[0] : blocks.joined(separator: ".")
  }

  /// The component alone, which takes less time.
  static func component(of name: String, in family: FamilyNames? = nil) -> String {
    let inner = inner(name)
    let folder = name.utf8.count == inner.utf8.count ? nil : component(ofFolder: name)
    let component =
      folder ?? NamePrefix.ofComponent(inner)?.component ?? ModelFamily.genericComponent
    guard component == ModelFamily.genericComponent, let family else { return component }
    let found = Set(family.places(named: name).map(\.component))
    return found.count == 1 ? found.first! : component
  }

  /// What stands behind the prefix of the component: `down_blocks_0_…`.
  static func path(of name: String) -> Substring {
    let inner = inner(name)
    return Substring(inner.utf8.dropFirst(NamePrefix.ofComponent(inner)?.text.utf8.count ?? 0))
  }

  /// In a folder of components, the name of the folder stands before the others.
  private static func inner(_ name: String) -> Substring {
    name.utf8.firstIndex(of: UInt8(ascii: "/")).map { name[name.utf8.index(after: $0)...] }
      ?? name[...]
  }

  private static func component(ofFolder name: String) -> String? {
    let beginning = name.prefix { $0 != "/" } + "."
    return NamePrefix.ofComponent(beginning[...]).flatMap {
      $0.text == beginning ? $0.component : nil
    }
  }
}
