/// A kind of model whose modules have names that the field agrees on, or `generic`, which takes the
/// names from the checkpoint.
package struct ModelFamily: Hashable, Sendable {
  /// Short name, as given to `--family`: `sd1`.
  package let name: String
  /// Name for people: `Stable Diffusion 1.x`.
  package let title: String

  /// Any checkpoint: the modules are its own keys.
  package static let generic = ModelFamily(name: "generic", title: "any model, by its own names")

  /// All families, `generic` last. Where two fit equally well, the earlier is chosen.
  package static let all: [ModelFamily] =
    FamilyDefinition.tables.map { ModelFamily(name: $0.string("name"), title: $0.string("title")) }
    + [generic]

  /// The family of that short name.
  package static func named(_ name: String) -> ModelFamily? { all.first { $0.name == name } }

  /// What its latents are, unless a checkpoint's own files say else; nil for a family that is not trained.
  package var latents: LatentLayout? { definition?.latents }

  /// How files are known in which its items lie encoded; nil for a family whose items do not come so.
  package var prepared: PreparedLayout? { definition?.prepared }

  /// What `--model_version` tells apart of models with the same weights.
  package var variants: [String] { definition?.preparedVariants.keys.sorted() ?? [] }

  /// How files are known in which items of a variant lie encoded.
  package func prepared(variant: String?) -> PreparedLayout? {
    variant.flatMap { definition?.preparedVariants[$0] } ?? prepared
  }

  /// What trainers choose of it.
  package var trainedClasses: TrainedClasses { definition?.trainedClasses ?? .none }

  /// What its own module of `--network_module` knows beside the common arguments.
  package var layerArguments: LayerArguments { definition?.layerArguments ?? .none }

  /// Those that a program of sd-scripts trains adapters of, or of a variant.
  package static func all(trainedBy script: String) -> [ModelFamily] {
    all.filter {
      $0.trainedClasses.kohya?.script == script || $0.variant(trainedBy: script) != nil
    }
  }

  /// The programs of sd-scripts and musubi-tuner whose place is taken here, in the order of the families.
  package static var trainingScripts: [String] {
    var scripts: [String] = []
    for family in all {
      let variants = family.definition?.trainedVariants.sorted { $0.key < $1.key }.map(\.value)
      for classes in [family.trainedClasses] + (variants ?? []) {
        guard let script = classes.kohya?.script, !scripts.contains(script) else { continue }
        scripts.append(script)
      }
    }
    return scripts
  }

  /// The families whose adapters a module of `--network_module` is for, and no others.
  package static func all(withModule name: String) -> [ModelFamily] {
    all.filter { $0.trainedClasses.kohya?.module == name }
  }

  /// The family's table; `nil` for `generic`.
  var definition: FamilyDefinition? { FamilyDefinition.all.first { $0.name == name } }
}
