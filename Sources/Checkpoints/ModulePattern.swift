#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A rule on the dotted name of a module, such as `double_blocks.0.img_attn.qkv`.
package struct ModulePattern {
  private enum Rule {
    case glob(String)
    case wholeMatch(Regex<AnyRegexOutput>)
    case prefixMatch(Regex<AnyRegexOutput>)
  }

  private let rule: Rule
  let text: String

  /// A shell pattern for the whole name, as Python's `fnmatch`.
  package init(glob text: String) {
    self.text = text
    rule = .glob(text)
  }

  /// A regular expression for the whole name, as Python's `re.fullmatch`.
  /// - Throws: `CheckpointError.pattern`
  init(whole text: String) throws(CheckpointError) {
    self.text = text
    rule = .wholeMatch(try Self.compile(text))
  }

  /// A regular expression from the start of the name, as Python's `re.match`.
  /// - Throws: `CheckpointError.pattern`
  init(prefix text: String) throws(CheckpointError) {
    self.text = text
    rule = .prefixMatch(try Self.compile(text))
  }

  package func matches(_ path: String) -> Bool {
    switch rule {
    case .glob(let pattern): unsafe fnmatch(pattern, path, 0) == 0
    case .wholeMatch(let regex): (try? regex.wholeMatch(in: path)) != nil
    case .prefixMatch(let regex): text == path || (try? regex.prefixMatch(in: path)) != nil
    }
  }

  private static func compile(_ text: String) throws(CheckpointError) -> Regex<AnyRegexOutput> {
    do {
      return try Regex(text)
    } catch {
      throw .pattern(text, detail: "not a valid regular expression")
    }
  }
}
