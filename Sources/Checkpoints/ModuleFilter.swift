/// musubi-tuner's `exclude_patterns` and `include_patterns`.
///
/// Each pattern must match a module's whole dotted name. A module is left out if an exclude pattern
/// matches and no include pattern does: include re-adds, it never restricts.
package struct ModuleFilter {
  private let excluded: [ModulePattern]
  private let included: [ModulePattern]

  /// - Parameters: regular expressions, or lists of them as Python writes them
  ///   (`[r'.*single_blocks.*', '.*mod.*']`), the form of musubi's `network_args`.
  /// - Throws: `CheckpointError.pattern`
  package init(exclude: [String] = [], include: [String] = []) throws(CheckpointError) {
    excluded = try Self.patterns(exclude)
    included = try Self.patterns(include)
  }

  /// Whether the module takes part.
  package func keeps(_ path: String) -> Bool {
    !excluded.contains { $0.matches(path) } || included.contains { $0.matches(path) }
  }

  private static func patterns(_ texts: [String]) throws(CheckpointError) -> [ModulePattern] {
    var patterns: [ModulePattern] = []
    for text in texts {
      for element in try PythonList.elements(of: text) ?? [text] {
        patterns.append(try ModulePattern(whole: element))
      }
    }
    return patterns
  }
}
