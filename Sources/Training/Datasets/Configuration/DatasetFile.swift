import ModelFamilies
import Safetensors
import Sampling
import SystemPackage
import TOML

/// A dataset configuration as it stands in its TOML or JSON file.
struct DatasetFile {
  struct Dataset {
    var values = DatasetValues()
    var subsets: [DatasetValues] = []
  }

  let path: FilePath
  /// Whether items come encoded.
  private let isPrepared: Bool
  private(set) var general = DatasetValues()
  private(set) var datasets: [Dataset] = []

  /// - Parameter isPrepared: whether it is of items that come encoded, whose keys are musubi-tuner's.
  /// - Throws: `DatasetError.io`, `.syntax`, `.unknownKey`, `.refusedKey`, `.wrongValue`,
  ///   `.missingKey`, `.mixedSubsets`
  init(reading path: FilePath, isPrepared: Bool = false) throws(DatasetError) {
    self.path = path
    self.isPrepared = isPrepared
    var root = try Self.table(of: path)
    if let page = Self.datasets(ofPage: root) { root = page }
    for key in root.keys.sorted() where key != "general" && key != "datasets" {
      throw .unknownKey(
        path, section: "top level", key: key, near: ["general", "datasets"].nearest(to: key))
    }
    if let value = root["general"] {
      general = try values(try table(value, "top level", "general"), .general, "[general]")
    }
    let list = try tables(root["datasets"], "top level", "datasets")
    guard !list.isEmpty else { throw .missingKey(path, section: "top level", key: "datasets") }
    for (i, table) in list.enumerated() {
      let section = Self.section(i)
      datasets.append(
        try isPrepared ? preparedDataset(table, section) : dataset(table, section))
    }
    if isPrepared { try checkFolders() }
  }

  static func section(_ index: Int) -> String { "[[datasets]] \(index + 1)" }

  private static func isJSON(_ path: FilePath) -> Bool {
    path.extension?.lowercased() == "json"
  }

  static func table(
    of path: FilePath
  ) throws(DatasetError) -> [String: ConfigurationValue] {
    let text = try FileListing.text(of: path)
    if isJSON(path) {
      guard let value = JSONValue(parsing: text) else {
        throw .syntax(path, detail: "not valid JSON")
      }
      guard let table = ConfigurationValue(value).table else {
        throw .syntax(path, detail: "expected an object with 'datasets', found another value")
      }
      return table
    }
    do {
      return ConfigurationValue(try TOMLParser.table(parsing: text)).table ?? [:]
    } catch {
      throw .syntax(path, detail: "not valid TOML: \(error)")
    }
  }

  private func dataset(
    _ table: [String: ConfigurationValue], _ section: String
  ) throws(DatasetError) -> Dataset {
    var table = table
    var dataset = Dataset()
    var subsets: [(section: String, values: DatasetValues)] = []
    let list = try tables(table.removeValue(forKey: "subsets"), section, "subsets")
    for (i, table) in list.enumerated() {
      let name = "\(section), [[datasets.subsets]] \(i + 1)"
      subsets.append((name, try values(table, .subset, name)))
    }
    // musubi-tuner's datasets are their own and only subset.
    let own = table.filter { DatasetKey.aliases[$0.key] != nil }
    if !own.isEmpty {
      guard subsets.isEmpty else {
        throw .refusedKey(
          path, section: section, key: own.keys.sorted()[0],
          why: "a dataset names its images itself or in subsets, not both")
      }
      subsets = [(section, try values(own, .subset, section))]
      for key in own.keys { table[key] = nil }
    }
    dataset.values = try values(table, .dataset, section)
    guard !subsets.isEmpty else { throw .missingKey(path, section: section, key: "subsets") }
    for (name, subset) in subsets where subset.imageDir == nil && subset.metadataFile == nil {
      throw .missingKey(path, section: name, key: "image_dir")
    }
    func kind(_ values: DatasetValues) -> [Bool] {
      [values.metadataFile != nil, values.conditioningDataDir != nil]
    }
    guard Set(subsets.map { kind($0.values) }).count == 1 else {
      throw .mixedSubsets(path, section: section)
    }
    dataset.subsets = subsets.map(\.values)
    return dataset
  }

  func values(
    _ table: [String: ConfigurationValue], _ level: DatasetKey.Levels, _ section: String
  ) throws(DatasetError) -> DatasetValues {
    var values = DatasetValues()
    for name in table.keys.sorted() {
      guard let value = table[name], value != .null else { continue }
      if let why = DatasetKey.refusal(of: name, isPrepared: isPrepared) {
        throw .refusedKey(path, section: section, key: name, why: why)
      }
      let keys = isPrepared ? DatasetKey.prepared : DatasetKey.all
      let spelled = isPrepared ? name : DatasetKey.aliases[name] ?? name
      guard let key = keys.first(where: { $0.name == spelled }) else {
        let known = keys.filter { $0.levels.contains(level) }.map(\.name)
        throw .unknownKey(
          path, section: section, key: name,
          near: (known + (level == .dataset && !isPrepared ? ["subsets"] : [])).nearest(to: name))
      }
      guard key.levels.contains(level) else {
        throw .refusedKey(
          path, section: section, key: name, why: "belongs into \(key.place)")
      }
      if key.isPath, let text = value.string, text.isMisquotedWindowsPath,
        !Self.isJSON(path)
      {
        throw .refusedKey(path, section: section, key: name, why: .misquotedWindowsPath)
      }
      guard key.read(value, &values) else {
        throw .wrongValue(
          path, section: section, key: name, expected: key.expected, found: value.description)
      }
    }
    return values
  }

  private func table(
    _ value: ConfigurationValue, _ section: String, _ key: String
  ) throws(DatasetError) -> [String: ConfigurationValue] {
    guard let table = value.table else {
      throw .wrongValue(
        path, section: section, key: key, expected: "a table", found: value.description)
    }
    return table
  }

  private func tables(
    _ value: ConfigurationValue?, _ section: String, _ key: String
  ) throws(DatasetError) -> [[String: ConfigurationValue]] {
    guard let value, value != .null else { return [] }
    guard let array = value.array else {
      throw .wrongValue(
        path, section: section, key: key, expected: "a list of tables, [[\(key)]]",
        found: value.description)
    }
    var tables: [[String: ConfigurationValue]] = []
    for element in array { tables.append(try table(element, section, key)) }
    return tables
  }
}
