import Sampling

extension DatasetFile {
  /// The datasets of a page as LoRA_Easy_Training_Scripts saves it, in the form of kohya's configuration: its
  /// `[[subsets]]` are one dataset, the keys of `[….dataset_args]` hold for all. nil for other files.
  static func datasets(
    ofPage root: [String: ConfigurationValue]
  ) -> [String: ConfigurationValue]? {
    guard root["datasets"] == nil, let subsets = root["subsets"]?.array,
      root["general_args"]?.table?["args"] != nil
    else { return nil }
    var general: [String: ConfigurationValue] = [:]
    for section in root.keys.sorted() {
      guard let keys = root[section]?.table?["dataset_args"]?.table else { continue }
      general.merge(keys.filter { !isLeftOut($0.value) }) { $1 }
    }
    // The length of captions belongs to the model.
    general["max_token_length"] = nil
    return [
      "general": .table(general),
      "datasets": .array([
        .table([
          "subsets": .array(
            subsets.map { subset in
              guard var keys = subset.table else { return subset }
              keys["name"] = nil
              return .table(keys.filter { !isLeftOut($0.value) })
            })
        ])
      ]),
    ]
  }

  /// What the page's own program leaves out when it starts the scripts.
  private static func isLeftOut(_ value: ConfigurationValue) -> Bool {
    switch value {
    case .bool(let flag): !flag
    case .integer(let number): number == 0
    case .number(let number): number == 0
    case .string(let text): text.isEmpty
    case .array(let elements): elements.isEmpty
    case .table, .null, .other: false
    }
  }
}
