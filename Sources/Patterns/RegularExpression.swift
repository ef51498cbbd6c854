import CRE2

/// A regular expression in the syntax of Python's `re`, matched in time that grows with the text alone.
///
/// Lookaround, backreferences, atomic groups and possessive repetition have no such time and are errors.
/// What a text matches is what Python 3.11 says, but for letters outside ASCII, which all count as `\w`
/// whatever they are and next to which `\b` finds no boundary, and for `$`, which is the very end of a
/// text even before a final line feed.
@safe package final class RegularExpression: Sendable {
  /// How much of a text has to match.
  package enum Extent: Sendable {
    /// `re.search`
    case anywhere
    /// `re.match`
    case start
    /// `re.fullmatch`
    case whole
  }

  /// Bytes of the longest expression.
  package static let lengthLimit = 16_384
  /// Bytes that an expression may take compiled. Bounds its instructions to some 10,000, and so the time
  /// that a hostile one needs for a name to milliseconds.
  private static let memoryLimit: Int64 = 1 << 20

  /// RE2's own object, which threads may share.
  private nonisolated(unsafe) let compiled: OpaquePointer
  /// Instructions it was compiled to.
  package let size: Int

  /// - Throws: `PatternError` for what Python refuses, for what cannot be matched in linear time, and for
  ///   what is too large.
  package convenience init(_ text: String) throws(PatternError) {
    guard text.utf8.count <= Self.lengthLimit else {
      throw PatternError(
        text, "expected at most \(Self.lengthLimit) bytes, found \(text.utf8.count)")
    }
    try self.init(engine: PythonExpression.translated(text), for: text)
  }

  /// A shell pattern, as Python's `fnmatch.fnmatchcase` reads it: `*`, `?`, `[a-z]`, `[!a-z]`.
  /// - Throws: `PatternError` for what is too large.
  package convenience init(shell text: String) throws(PatternError) {
    guard text.utf8.count <= Self.lengthLimit else {
      throw PatternError(
        text, "expected at most \(Self.lengthLimit) bytes, found \(text.utf8.count)")
    }
    try self.init(engine: ShellPattern.translated(text), for: text)
  }

  /// - Parameter expression: in RE2's syntax.
  private init(engine expression: String, for text: String) throws(PatternError) {
    var expression = expression
    var message = [CChar](repeating: 0, count: 256)
    let regex = expression.withUTF8 { bytes in
      unsafe bytes.withMemoryRebound(to: CChar.self) { bytes in
        unsafe lyco_regex_compile(
          bytes.baseAddress, bytes.count, Self.memoryLimit, &message, message.count)
      }
    }
    guard let regex = unsafe regex else {
      let told = String(
        decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      throw PatternError(
        text,
        told.contains("too large") || told.contains("repetition size")
          ? "it is too large when its repetitions are written out" : told)
    }
    unsafe compiled = regex
    size = Int(unsafe lyco_regex_size(regex))
  }

  deinit { unsafe lyco_regex_free(compiled) }

  /// Whether the text, or as much of it as `extent` says, matches.
  package func matches(_ text: String, _ extent: Extent) -> Bool {
    let anchor =
      switch extent {
      case .anywhere: LYCO_REGEX_ANYWHERE
      case .start: LYCO_REGEX_FROM_START
      case .whole: LYCO_REGEX_WHOLE
      }
    var text = text
    return text.withUTF8 { bytes in
      unsafe bytes.withMemoryRebound(to: CChar.self) { bytes in
        unsafe lyco_regex_matches(
          compiled, bytes.baseAddress, bytes.count, Int32(anchor)) != 0
      }
    }
  }
}
