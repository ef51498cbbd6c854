/// A rule on names of modules and tensors, such as `double_blocks.0.img_attn.qkv`: the one language of all
/// options that choose by name.
///
/// A pattern is for the whole name. It is a regular expression, as musubi-tuner has them (Python's
/// `re.fullmatch`), or a shell pattern; see `Language.init(of:)` for how they are told apart.
package struct NamePattern: Sendable {
  package enum Language: Sendable {
    case expression, shell
  }

  /// As the user wrote it.
  package let text: String
  package let language: Language
  /// Whether a prefix says the language.
  private let isExplicit: Bool
  /// What is matched: the text without its prefix.
  package let body: String
  private let expression: RegularExpression
  package let extent: RegularExpression.Extent

  /// - Parameters:
  ///   - text: after `re:` or `glob:` what it says; else told apart.
  ///   - extent: of regular expressions; shell patterns are for the whole name always.
  /// - Throws: `PatternError`
  package init(
    _ text: String, extent: RegularExpression.Extent = .whole
  ) throws(PatternError) {
    if let (language, body) = Language.stated(in: text) {
      try self.init(text, language, body, isExplicit: true, extent)
    } else {
      try self.init(text, Language(of: text), text, isExplicit: false, extent)
    }
  }

  /// In one language, whatever it looks like; a prefix still says otherwise.
  /// - Throws: `PatternError`
  package init(
    _ text: String, as language: Language, extent: RegularExpression.Extent = .whole
  ) throws(PatternError) {
    let (language, body) = Language.stated(in: text) ?? (language, text)
    try self.init(text, language, body, isExplicit: true, extent)
  }

  private init(
    _ text: String, _ language: Language, _ body: String, isExplicit: Bool,
    _ extent: RegularExpression.Extent
  ) throws(PatternError) {
    self.text = text
    self.language = language
    self.body = body
    self.isExplicit = isExplicit
    switch language {
    case .expression:
      expression = try RegularExpression(body)
      self.extent = extent
    case .shell:
      expression = try RegularExpression(shell: body)
      self.extent = .whole
    }
  }

  package func matches(_ name: String) -> Bool { expression.matches(name, extent) }

  /// The pattern in the other language, where nothing but a habit says which is meant: `blocks.1.*` is
  /// both. nil where its characters or its prefix decide.
  package var otherReading: NamePattern? {
    // No name begins with a point.
    guard !isExplicit, language == .expression, body.first != ".",
      body.contains(where: { "*?[".contains($0) }),
      !body.contains(where: { Language.expressionCharacters.contains($0) })
    else { return nil }
    return try? NamePattern("glob:" + body)
  }
}

extension NamePattern.Language {
  private static let prefixes: KeyValuePairs<String, Self> = ["re:": .expression, "glob:": .shell]
  /// Those that mean something in regular expressions alone.
  fileprivate static let expressionCharacters: Set<Character> = Set("\\^$|(){}+")

  /// The language that a prefix says, and the rest.
  fileprivate static func stated(in text: String) -> (Self, String)? {
    for (prefix, language) in prefixes where text.hasPrefix(prefix) {
      return (language, String(text.dropFirst(prefix.count)))
    }
    return nil
  }

  /// What a text without a prefix is: a shell pattern if it has a `*` at its start or behind anything but
  /// a point and a bracket, a `?` at its start or `[!`, and none of the characters ``\ ^ $ | ( ) { } +``;
  /// else a regular expression.
  ///
  /// So `*attn*`, `down*attn2` and `lora_unet_*` are shell patterns; `.*attn.*`, `blocks.[0-9].*` and
  /// plain names are regular expressions.
  package init(of text: String) {
    self = .expression
    guard !text.contains(where: { Self.expressionCharacters.contains($0) }) else { return }
    var previous: Character?
    for character in text {
      switch (previous, character) {
      case (nil, "*"), (nil, "?"), ("[", "!"): self = .shell
      case (".", "*"), ("]", "*"): break
      case (_, "*"): self = .shell
      default: break
      }
      previous = character
    }
  }
}
