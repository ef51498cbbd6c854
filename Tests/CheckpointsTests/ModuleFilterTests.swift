import Checkpoints
import ModelFamilies
import TestSupport
import Testing

/// musubi-tuner's patterns, with the examples of its documentation.
@Suite struct ModuleFilterTests {
  /// Linear modules in the blocks of HunyuanVideo that the patterns keep.
  private func kept(exclude: [String] = [], include: [String] = []) throws -> Int {
    // The modulations are left out by default there.
    let standard = ".*(img_mod|txt_mod|modulation).*"
    let filter = try ModuleFilter(exclude: [standard] + exclude, include: include)
    return try KeyList("hunyuan-video.native").layout().modules.count {
      $0.kind == .linear && filter.keeps($0.path)
        && ($0.path.hasPrefix("double_blocks") || $0.path.hasPrefix("single_blocks"))
    }
  }

  @Test func keepsTheCountsOfTheDocumentation() throws {
    #expect(try kept() == 240)
    #expect(try kept(exclude: [".*single_blocks.*"]) == 160)
    #expect(
      try kept(exclude: [".*"], include: [#".*single_blocks\.\d{2}\.linear.*"#]) == 60)
  }

  /// As written there: lists of Python source.
  @Test func readsListsAsWritten() throws {
    #expect(try kept(exclude: ["[r'.*single_blocks.*']"]) == 160)
    #expect(
      try kept(exclude: ["[r'.*']"], include: [#"[r'.*single_blocks\.\d{2}\.linear.*']"#]) == 60)
    #expect(
      try kept(exclude: [#"['.*single_blocks.*', ".*double_blocks\\.\\d\\..*",]"#]) == 80)
    #expect(try kept(exclude: ["['.*single_blocks.*' ]"]) == 160)
  }

  @Test func keepsFluxWithoutModulation() throws {
    let filter = try ModuleFilter(exclude: [#".*(img_mod\.lin|txt_mod\.lin|modulation\.lin).*"#])
    let found = try KeyList("flux1.native").layout().modules.count {
      $0.kind == .linear && filter.keeps($0.path)
        && ($0.path.hasPrefix("double_blocks") || $0.path.hasPrefix("single_blocks"))
    }
    #expect(found == 228)
  }

  struct Rule: Sendable {
    let exclude: [String]
    let include: [String]
    let path: String
    let keeps: Bool
  }

  static let rules = [
    Rule(exclude: [], include: [], path: "a.b", keeps: true),
    Rule(exclude: ["a"], include: [], path: "a.b", keeps: true),
    Rule(exclude: ["b"], include: [], path: "a.b", keeps: true),
    Rule(exclude: ["a.*"], include: [], path: "a.b", keeps: false),
    Rule(exclude: [#"a\.b"#], include: [], path: "a.b", keeps: false),
    Rule(exclude: ["x|a.b"], include: [], path: "a.b", keeps: false),
    Rule(exclude: ["a.*"], include: [".*b"], path: "a.b", keeps: true),
    Rule(exclude: [], include: ["x"], path: "a.b", keeps: true),
    Rule(exclude: ["[ab].*"], include: [], path: "a.b", keeps: false),
    Rule(exclude: ["[a']b"], include: [], path: "ab", keeps: false),
  ]

  /// Whole names; exclude first, include puts back and never restricts.
  @Test(arguments: rules)
  func decides(rule: Rule) throws {
    let filter = try ModuleFilter(exclude: rule.exclude, include: rule.include)
    #expect(filter.keeps(rule.path) == rule.keeps)
  }

  static let faults: [(pattern: String, message: String)] = [
    (
      "(",
      "pattern '(': not a valid regular expression: an open parenthesis without its end at character 1"
    ),
    (
      "[r'(']",
      "pattern '(': not a valid regular expression: an open parenthesis without its end at character 1"
    ),
    (
      "['a' 'b']",
      "pattern '['a' 'b']': expected a list of quoted strings, such as [r'.*single_blocks.*']"
    ),
    ("['a", "pattern '['a': expected a list of quoted strings, such as [r'.*single_blocks.*']"),
    (
      "['a', b]",
      "pattern '['a', b]': expected a list of quoted strings, such as [r'.*single_blocks.*']"
    ),
  ]

  @Test(arguments: faults)
  func says(pattern: String, message: String) {
    for (flag, exclude, include) in [
      ("exclude", [pattern], []), ("include", [], [pattern]),
    ] as [(String, [String], [String])] {
      let error = #expect(throws: CheckpointError.self) {
        try ModuleFilter(exclude: exclude, include: include)
      }
      #expect(error?.description == "'--\(flag)_patterns': \(message)")
    }
  }
}
