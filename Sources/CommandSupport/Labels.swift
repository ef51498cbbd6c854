import ModelFamilies

extension String {
  /// What users call an algorithm with all that goes along: `DoRA (LoRA)` of `lora + dora`.
  package var algorithmLabel: String {
    var parts = split(separator: " + ").map(String.init)
    guard let index = parts.firstIndex(of: "dora") else { return self }
    parts.remove(at: index)
    let wrapped = ["lora": "LoRA", "loha": "LoHa", "lokr": "LoKr"][parts[0]] ?? parts[0]
    return (["DoRA (\(wrapped))"] + parts.dropFirst()).joined(separator: " + ")
  }

  /// What users call a format of adapters: both spellings of kohya's scripts are kohya's.
  package var formatLabel: String { self == AdapterFormat.sgm.rawValue ? "kohya" : self }
}
