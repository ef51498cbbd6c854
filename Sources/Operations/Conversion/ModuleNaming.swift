import Checkpoints
package import ModelFamilies
import Tensors

/// Where the names of modules in other formats come from.
package enum ModuleNaming: Sendable {
  /// The tables of a family.
  case family(FamilyNames)
  /// A checkpoint whose own names are the modules'.
  case checkpoint(ModelLayout)

  /// What a format calls the module that an adapter names.
  ///
  /// Formats that keep components in files of their own have the name of the component's folder and a
  /// slash before the name.
  /// - Throws: `NoPlace` if the name is unknown or ambiguous, or the format has none for it.
  func spelling(
    of name: String, in format: AdapterFormat, weightShape: Shape?
  ) throws(NoPlace) -> PlaceSpelling {
    switch self {
    case .family(let names):
      let place = try Self.place(of: name, in: names)
      guard let spelling = names.spelling(of: place, in: format, weightShape: weightShape) else {
        throw NoPlace("\(format.rawValue) has no name for it")
      }
      guard format.separatesComponents else { return spelling }
      return spelling.prefixed("\(names.folder(of: place.component) ?? place.component)/")
    case .checkpoint(let layout):
      let found = layout.modules(named: name)
      guard found.count == 1 else {
        throw NoPlace(
          found.isEmpty
            ? "no layer of that name in the base"
            : "name of \(found.count) layers: " + found.map(\.path).joined(separator: ", "))
      }
      let path = found[0].path
      return .same(
        format.prefixOfUnknown + (format.isUnderscored ? path.flattened : path), swapsHalves: false)
    }
  }

  /// Whether a name means one module.
  func knows(_ name: String) -> Bool {
    switch self {
    case .family(let names): names.places(named: name).count == 1
    case .checkpoint(let layout): layout.modules(named: name).count == 1
    }
  }

  private static func place(
    of name: String, in names: FamilyNames
  ) throws(NoPlace) -> ModulePlace {
    let places = names.places(named: name)
    guard let place = places.first else {
      throw NoPlace("no such module in the family")
    }
    guard places.count == 1 else { throw NoPlace("name of \(places.count) modules") }
    return place
  }
}

extension String {
  /// With underscores for dots and slashes.
  fileprivate var flattened: String { String(map { $0 == "." || $0 == "/" ? "_" : $0 }) }
}

extension PlaceSpelling {
  fileprivate func prefixed(_ prefix: String) -> PlaceSpelling {
    switch self {
    case .same(let name, let swapsHalves): .same(prefix + name, swapsHalves: swapsHalves)
    case .parts(let names, let shares): .parts(names: names.map { prefix + $0 }, shares: shares)
    case .part(let name, let index, let shares):
      .part(of: prefix + name, index: index, shares: shares)
    }
  }
}

extension AdapterFormat {
  /// Whether each component has a file or folder of its own.
  package var separatesComponents: Bool { self == .peft || self == .hcp }

  /// What stands before the names of a model that no family lists.
  fileprivate var prefixOfUnknown: String {
    switch self {
    case .kohya, .sgm, .musubi: "lora_unet_"
    case .comfy, .musubiOther: "diffusion_model."
    case .diffusers: "transformer."
    case .peft: "transformer/base_model.model."
    case .hcp: "transformer/"
    case .original: ""
    }
  }
}
