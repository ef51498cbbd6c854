import Patterns

/// musubi-tuner's `exclude_patterns` and `include_patterns`.
///
/// Each pattern must match a module's whole dotted name. A module is left out if an exclude pattern
/// matches and no include pattern does: include re-adds, it never restricts.
package struct ModuleFilter: Sendable {
  private static let (exclusion, inclusion) = ("exclude_patterns", "include_patterns")

  private let excluded: [NamePattern]
  private let included: [NamePattern]
  /// Excluded beside the user's own, of which nothing is said.
  private var standing: [NamePattern] = []
  /// An option as its user writes it.
  private let origin: @Sendable (String) -> String

  /// - Parameters:
  ///   - exclude: patterns, or lists of them as Python writes them (`[r'.*single_blocks.*', '.*mod.*']`), the
  ///     form of musubi's `network_args`.
  ///   - include: the same.
  ///   - origin: how messages call an option by its name.
  /// - Throws: `CheckpointError.pattern`
  package init(
    exclude: [String] = [], include: [String] = [],
    origin: @escaping @Sendable (String) -> String = { "'--\($0)'" }
  ) throws(CheckpointError) {
    self.origin = origin
    excluded = try Self.patterns(exclude, from: origin(Self.exclusion))
    included = try Self.patterns(include, from: origin(Self.inclusion))
  }

  /// Whether the module takes part.
  package func keeps(_ path: String) -> Bool {
    !(excluded + standing).contains { $0.matches(path) }
      || included.contains { $0.matches(path) }
  }

  /// The same with patterns of modules that are left out unless the user includes them.
  /// - Throws: `CheckpointError.pattern`
  package func excluding(_ patterns: [String]) throws(CheckpointError) -> ModuleFilter {
    var filter = self
    filter.standing += try Self.patterns(patterns, from: origin(Self.exclusion))
    return filter
  }

  /// Patterns that match none of the modules, and those that could be read otherwise.
  package func notices(on paths: [String]) -> [String] {
    NamePattern.notices(on: excluded, from: origin(Self.exclusion), names: paths)
      + NamePattern.notices(on: included, from: origin(Self.inclusion), names: paths)
  }

  private static func patterns(
    _ texts: [String], from origin: String
  ) throws(CheckpointError) -> [NamePattern] {
    var patterns: [NamePattern] = []
    do throws(PatternError) {
      for text in texts {
        for element in try PythonList.elements(of: text) ?? [text] {
          patterns.append(try NamePattern(element))
        }
      }
    } catch {
      throw .pattern(from: origin, error)
    }
    return patterns
  }
}
