import CommandSupport

extension Train {
  /// Every option of the tool, and what follows it. Short options are no script's.
  static let vocabulary = ScriptVocabulary(
    flags: options.names(of: .flag), values: options.names(of: .value),
    lists: options.names(of: .list), numbers: options.names(of: .numbers), texts: options.textNames)
}
