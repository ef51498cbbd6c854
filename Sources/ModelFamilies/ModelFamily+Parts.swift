/// Parts of a model that may lie in files of their own.
extension ModelFamily {
  /// Options that name such files, in the order of the components: `clip_l`.
  package var partOptions: [String] { definition?.components.compactMap(\.option) ?? [] }

  /// The option that names a file of that component; nil for none.
  package func option(of component: String) -> String? {
    definition?.components.first { $0.name == component }?.option
  }

  /// The component whose file an option names; nil if it is none of the family's.
  package func component(ofOption option: String) -> String? {
    definition?.components.first { $0.option == option }?.name
  }

  /// Where a component lies in a folder of diffusers: `text_encoder_2`.
  package func folder(of component: String) -> String? {
    layoutKeys(of: component).first { $0.hasSuffix("/") }.map { String($0.dropLast()) }
  }

  /// What the keys of a file that holds a component, alone or among others, are in a whole checkpoint; keys of other
  /// parts are left out.
  package func wholeKeys(
    _ keys: some Collection<String>, ofFileOf component: String
  ) -> [(key: String, whole: String)] {
    let prefixes = layoutKeys(of: component).filter { !$0.isEmpty }
    let prefixed = keys.filter { key in prefixes.contains { key.hasPrefix($0) } }
    guard prefixed.isEmpty, let first = prefixes.first else { return prefixed.map { ($0, $0) } }
    return keys.map { ($0, first + $0) }
  }

  private func layoutKeys(of component: String) -> [String] {
    definition?.components.first { $0.name == component }?.layouts.flatMap(\.keys) ?? []
  }
}
