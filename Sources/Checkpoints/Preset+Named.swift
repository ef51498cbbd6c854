import FoundationEssentials

extension Preset {
  /// A built-in preset, or that of a TOML file.
  /// - Throws: `CheckpointError.presetNotFound` and what is wrong with the file.
  package init(named name: String) throws(CheckpointError) {
    if let text = Self.builtIn(name) {
      try self.init(name: name, toml: text)
      return
    }
    guard let data = try? Data(contentsOf: URL(filePath: name)) else {
      throw .presetNotFound(name, builtIn: Self.builtInNames)
    }
    try self.init(name: name, toml: String(decoding: data, as: UTF8.self))
  }
}
