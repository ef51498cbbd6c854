import ModelFamilies

extension ModelFamily {
  /// Of modules by name and the width of their inputs.
  static func recognize(
    _ modules: [(name: String, inputWidth: Int?)], metadata: [String: String] = [:]
  ) -> AdapterFamily {
    recognize(
      adapterModules: modules.map { NamedModule($0.name, inputs: $0.inputWidth) },
      metadata: metadata)
  }
}
