import Machine
import SystemPackage

extension Preset {
  /// A built-in preset, or that of a TOML file.
  /// - Throws: `CheckpointError.presetNotFound` and what is wrong with the file.
  package init(named name: String) throws(CheckpointError) {
    func plain(_ name: String) -> String { name.lowercased().replacing("_", with: "-") }
    if let known = Self.builtInNames.first(where: { plain($0) == plain(name) }),
      let table = Self.builtIn(known)
    {
      try self.init(name: known, table: table)
      return
    }
    let bytes: [UInt8]
    do throws(InputError) {
      bytes = try InputFile.bytes(of: FilePath(named: name))
    } catch .system(.noSuchFileOrDirectory) {
      throw .presetNotFound(name, builtIn: Self.builtInNames)
    } catch {
      throw .presetFile(name, error)
    }
    try self.init(name: name, toml: bytes)
  }
}
