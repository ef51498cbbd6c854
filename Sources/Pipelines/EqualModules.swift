package import Autograd
package import Checkpoints
import DiffusionModels
package import ModelFamilies
import Safetensors

/// Modules of two checkpoints of one structure whose frozen weights are the same, found out of their files alone.
package struct EqualModules: Sendable {
  /// Whether text encoders make the same of captions.
  package let areTextsEqual: Bool
  /// By component and path.
  private let places: Set<String>

  /// - Parameters:
  ///   - settings: with the adapters that are merged into the first: what they change is another weight.
  ///   - other: of the same family; where it has no text encoders, those of the first are its own.
  /// - Throws: `CheckpointError`, and what opening adapters throws.
  /// - Complexity: O(size of what is the same)
  package init(of model: BaseModel, _ settings: ModelSettings, and other: BaseModel) throws {
    let merged = try MergedParameters(CheckpointParameters(model), settings.merged)
    let twins = Dictionary(
      other.layout.modules.map { (Self.place(of: $0), $0) }, uniquingKeysWith: { $1 })
    var places: Set<String> = []
    let (texts, othersTexts) = (Self.texts(of: model), Self.texts(of: other))
    for module in model.layout.modules where [.denoiser, .text].contains(module.role) {
      let place = Self.place(of: module)
      guard let twin = twins[place], twin.shape == module.shape, !merged.changes(module),
        try Self.areEqual(module, of: model, twin, of: other)
      else { continue }
      places.insert(place)
    }
    self.places = places
    areTextsEqual =
      othersTexts.isEmpty
      || (texts.count == othersTexts.count
        && texts.allSatisfy { places.contains(Self.place(of: $0)) }
        && Self.areTablesEqual(of: model, other))
  }

  /// Whether the other model has the same weight, and bias.
  package func contains(_ module: FamilyModule) -> Bool {
    places.contains(Self.place(of: module))
  }

  /// Runs what reads the other model, with the weights that both have in common taken from layers of the first.
  package func lending<Result>(
    _ layers: [Layer], _ read: () throws -> Result
  ) rethrows -> Result {
    try LentLayers(layers.filter { places.contains(LentLayers.place($0.component, $0.path)) })
      .lending(read)
  }

  private static func place(of module: FamilyModule) -> String {
    LentLayers.place(module.component, module.path)
  }

  private static func texts(of model: BaseModel) -> [FamilyModule] {
    model.layout.modules.filter { $0.role == .text }
  }

  private static func areEqual(
    _ module: FamilyModule, of model: BaseModel, _ twin: FamilyModule, of other: BaseModel
  ) throws(CheckpointError) -> Bool {
    switch (module.bias, twin.bias) {
    case (nil, nil): break
    case (let bias?, let twin?):
      guard model.shape(of: bias) == other.shape(of: twin),
        try model.holds(bias, alike: other, twin)
      else { return false }
    default: return false
    }
    return try model.holds(module.weight, alike: other, twin.weight)
  }

  /// What text encoders have beside modules: tables of positions.
  private static func areTablesEqual(of model: BaseModel, _ other: BaseModel) -> Bool {
    func tables(_ model: BaseModel) -> [String: String] {
      var keys = model.layout.parameters.filter { model.layout.role(ofKey: $0.value) == .text }
      for key in model.layout.unnamed
      where key.hasSuffix("positional_embedding") && model.layout.role(ofKey: key) == .text {
        keys["\(model.layout.component(ofKey: key) ?? "")/positional_embedding"] = key
      }
      return keys
    }
    let (own, others) = (tables(model), tables(other))
    guard Set(own.keys) == Set(others.keys) else { return false }
    return own.allSatisfy { name, key in
      guard let twin = others[name] else { return false }
      let (slot, twinSlot) = (ParameterSlot(key: key), ParameterSlot(key: twin))
      return model.shape(of: slot) == other.shape(of: twinSlot)
        && (try? model.holds(slot, alike: other, twinSlot)) ?? false
    }
  }
}
