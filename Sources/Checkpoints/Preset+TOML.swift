import Machine
import ModelFamilies
import Patterns
import TOML

extension Preset {
  private static let folder = EmbeddedFolder("Presets", of: EmbeddedTables.files)

  /// The presets that come with the suite, LyCORIS' own, in the order in which they are named to users.
  package static let builtInNames = folder.inOrder.map(\.name)

  /// What a built-in preset says; nil if there is none of that name.
  static func builtIn(_ name: String) -> TOMLTable? { folder.table(ifAny: name)?.toml }

  /// Keys of a preset file. Those with an `unet_` or `text_encoder_` prefix are of LyCORIS' kohya
  /// mode, the plain ones of its generic wrapper, where they mean the denoiser.
  private static let keys = [
    "enable_conv", "use_fnmatch", "exclude_name", "lora_prefix", "target_module", "target_name",
    "unet_target_module", "unet_target_name", "text_encoder_target_module",
    "text_encoder_target_name", "module_algo_map", "name_algo_map",
  ]
  /// Where a built-in preset stands among the others. It means nothing in a file of the user, which may be a copy
  /// of one.
  private static let place = "order"

  /// - Throws: `CheckpointError.presetSyntax`, `.presetKey`, `.presetValue`, `.presetPattern`
  package init(name: String, toml: String) throws(CheckpointError) {
    try self.init(name: name, toml: Array(toml.utf8))
  }

  init(name: String, toml: [UInt8]) throws(CheckpointError) {
    let table: TOMLTable
    do {
      table = try TOMLParser.table(parsing: toml)
    } catch {
      throw .presetSyntax(name, detail: error.description)
    }
    try self.init(name: name, table: table)
  }

  /// - Throws: `CheckpointError.presetKey`, `.presetValue`, `.presetPattern`
  init(name: String, table: TOMLTable) throws(CheckpointError) {
    self.init(name: name)
    for key in table.keys where !Self.keys.contains(key) && key != Self.place {
      throw .presetKey(name, key: key, known: Self.keys)
    }
    let reader = TableReader(table, preset: name)
    let glob = try reader.bool("use_fnmatch") ?? false
    func patterns(_ keys: String...) throws(CheckpointError) -> [NamePattern] {
      var patterns: [NamePattern] = []
      for key in keys {
        for text in try reader.strings(key) ?? [] {
          patterns.append(try Self.pattern(text, isShell: glob, preset: name, key: key))
        }
      }
      return patterns
    }
    convolutions = try reader.bool("enable_conv") ?? true
    excluded = try patterns("exclude_name")
    let classes = try (reader.strings("target_module") ?? [])
    denoiser = Targets(
      classes: Set(classes + (try reader.strings("unet_target_module") ?? [])),
      names: try patterns("target_name", "unet_target_name"))
    textEncoders = Targets(
      classes: Set(try reader.strings("text_encoder_target_module") ?? []),
      names: try patterns("text_encoder_target_name"))
    for (target, override) in try reader.overrides("module_algo_map") {
      classOverrides[target] = override
    }
    for (target, override) in try reader.overrides("name_algo_map") {
      nameOverrides.append(
        (
          try Self.pattern(target, isShell: glob, preset: name, key: "name_algo_map"), override
        ))
    }
  }

  /// LyCORIS' reading: `re.match`, from the start of a name on, or `fnmatch` where `use_fnmatch` says so.
  /// What cannot be a regular expression there, `*attn*`, is a shell pattern here.
  private static func pattern(
    _ text: String, isShell: Bool, preset: String, key: String
  ) throws(CheckpointError) -> NamePattern {
    do {
      if isShell { return try NamePattern(text, as: .shell) }
      if text.first == "*" { return try NamePattern(text) }
      return try NamePattern(text, as: .expression, extent: .start)
    } catch {
      throw .presetPattern(preset, key: key, error)
    }
  }
}

/// Reads values of a preset's table, with an error that names preset and key.
private struct TableReader {
  let table: TOMLTable
  let preset: String

  init(_ table: TOMLTable, preset: String) {
    self.table = table
    self.preset = preset
  }

  func bool(_ key: String) throws(CheckpointError) -> Bool? {
    guard let value = table[key] else { return nil }
    guard let bool = value.bool else { throw invalid(key, "true or false") }
    return bool
  }

  func strings(_ key: String) throws(CheckpointError) -> [String]? {
    guard let value = table[key] else { return nil }
    guard let strings = value.strings else { throw invalid(key, "a list of strings") }
    return strings
  }

  /// A table of tables, in the order of its keys.
  func overrides(
    _ key: String
  ) throws(CheckpointError) -> [(target: String, override: Preset.Override)] {
    guard let value = table[key] else { return [] }
    guard let map = value.table else { throw invalid(key, "a table") }
    var overrides: [(target: String, override: Preset.Override)] = []
    for target in map.keys.sorted() {
      guard let entry = map[target]?.table else { throw invalid("\(key).\(target)", "a table") }
      let reader = TableReader(entry, preset: preset)
      overrides.append(
        (
          target,
          Preset.Override(
            algorithm: try reader.string("algo"), linearRank: try reader.rank("dim", "linear_dim"),
            convolutionRank: try reader.rank("conv_dim", "dim"),
            factor: try reader.factor("factor"),
            options: try reader.texts(besides: ["algo", "dim", "linear_dim", "conv_dim", "factor"]))
        ))
    }
    return overrides
  }

  /// The numbers, texts and truths of the table as text.
  private func texts(besides known: Set<String>) throws(CheckpointError) -> [String: String] {
    var texts: [String: String] = [:]
    for key in table.keys where !known.contains(key) {
      guard let value = table[key] else { continue }
      guard
        let text = value.string ?? value.bool.map({ "\($0)" }) ?? value.integer.map({ "\($0)" })
          ?? value.number.map({ "\($0)" })
      else { throw invalid(key, "a number, a string or true or false") }
      texts[key] = text
    }
    return texts
  }

  private func string(_ key: String) throws(CheckpointError) -> String? {
    guard let value = table[key] else { return nil }
    guard let string = value.string else { throw invalid(key, "a string") }
    return string
  }

  /// The first of the keys that is there.
  private func rank(_ keys: String...) throws(CheckpointError) -> Int? {
    for key in keys {
      guard let value = table[key] else { continue }
      guard let rank = value.integer, GivenInteger.range(from: 1).contains(rank) else {
        throw invalid(key, "an integer from 1 to \(GivenInteger.range.upperBound)")
      }
      return rank
    }
    return nil
  }

  private func factor(_ key: String) throws(CheckpointError) -> Int? {
    guard let value = table[key] else { return nil }
    guard let factor = value.integer, factor == -1 || GivenInteger.range(from: 1).contains(factor)
    else {
      throw invalid(key, "-1, or an integer from 1 to \(GivenInteger.range.upperBound)")
    }
    return factor
  }

  private func invalid(_ key: String, _ expected: String) -> CheckpointError {
    .presetValue(preset, key: key, expected: expected)
  }
}
