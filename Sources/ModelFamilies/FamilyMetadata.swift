/// How the metadata of adapters names a family.
///
/// Source of the tables: sd-scripts `library/sai_model_spec.py` and `library/model_util.py`, musubi-tuner
/// `dataset/architectures.py`. For families that neither trains, the name and place of the release in the same form.
package struct FamilyMetadata: Equatable, Sendable {
  /// Which program's metadata a trained adapter has.
  package enum Trainer: String, Sendable {
    case sdScripts = "sd-scripts"
    case musubi = "musubi-tuner"
  }

  /// `ss_base_model_version`, as kohya's scripts and musubi-tuner write it.
  package fileprivate(set) var baseModelVersion: String
  /// `modelspec.architecture`, without the `/lora` that an adapter appends.
  package fileprivate(set) var architecture: String
  /// `modelspec.implementation`
  package fileprivate(set) var implementation: String
  /// The same of an adapter that was trained, for which kohya's scripts have another word in some families.
  package fileprivate(set) var trainedImplementation: String
  /// `modelspec.resolution`, the size the family was trained at.
  package fileprivate(set) var resolution: String
  /// `ss_v2`: Stable Diffusion 2.x.
  package let isV2: Bool
  /// Whose words trained adapters of the family use.
  package fileprivate(set) var trainer: Trainer
  /// `ss_model_type`, where the trainer writes it.
  package let modelType: String?
  /// Settings that sd-scripts writes of this family and not of all, without `ss_`.
  package let settings: [String]
  /// Whether `modelspec.prediction_type` is written.
  package let statesPrediction: Bool
  private let variants: [String: [String: String]]

  /// nil for a family that the field's metadata have no word for.
  /// - Parameter variant: nil for what the family has in common.
  package init?(of family: ModelFamily, variant: String? = nil) {
    guard let found = family.definition?.metadata else { return nil }
    self = found.variant(variant)
  }

  /// The variant whose models predict v.
  package static let velocity = "velocity"

  /// What is said of a variant: the same where the family's table knows none of that name.
  package func variant(_ name: String?) -> FamilyMetadata {
    var other = self
    for (key, text) in name.flatMap({ variants[$0] }) ?? [:] {
      if key == "trainer" {
        other.trainer = Self.trainer(named: text)
      } else {
        other[keyPath: Self.fields[key]!] = text
      }
    }
    return other
  }

  private static func trainer(named name: String) -> Trainer {
    guard let trainer = Trainer(rawValue: name) else {
      preconditionFailure("embedded table: no trainer '\(name)'")
    }
    return trainer
  }

  private static var fields: [String: WritableKeyPath<FamilyMetadata, String>] {
    [
      "base_model_version": \.baseModelVersion, "architecture": \.architecture,
      "implementation": \.implementation, "trained_implementation": \.trainedImplementation,
      "resolution": \.resolution,
    ]
  }
}

extension FamilyMetadata {
  init(_ table: EmbeddedTable) {
    table.expect(
      "base_model_version", "architecture", "implementation", "trained_implementation",
      "resolution", "v2", "variants", "trainer", "model_type", "settings", "prediction_type")
    baseModelVersion = table.string("base_model_version")
    architecture = table.string("architecture")
    implementation = table.string("implementation")
    trainedImplementation = table.string(ifAny: "trained_implementation") ?? implementation
    resolution = table.string("resolution")
    isV2 = table.bool(ifAny: "v2") ?? false
    trainer = table.word(ifAny: "trainer") ?? .sdScripts
    modelType = table.string(ifAny: "model_type")
    settings = table.strings(ifAny: "settings") ?? []
    statesPrediction = table.bool(ifAny: "prediction_type") ?? true
    variants =
      table.table(ifAny: "variants")?.entries { variants, name in
        variants.table(name).entries { variant, key in
          precondition(
            key == "trainer" || Self.fields[key] != nil, "embedded table: no entry '\(key)'")
          return variant.string(key)
        }
      } ?? [:]
  }
}
