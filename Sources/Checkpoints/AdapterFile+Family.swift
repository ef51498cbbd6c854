package import ModelFamilies

extension AdapterFile {
  /// Its modules as far as they tell a family, for `ModelFamily.recognize`.
  package var namedModules: [NamedModule] {
    modules.map { NamedModule($0.name, $0.algorithm, $0.shapes) }
  }

  /// The family that it was made for, by its modules and its metadata, see `ModelFamily.recognize`.
  package func recognizeFamily() -> AdapterFamily {
    ModelFamily.recognize(adapterModules: namedModules, metadata: familyMetadata)
  }
}
