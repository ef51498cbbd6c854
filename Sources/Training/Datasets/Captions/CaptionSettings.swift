/// How captions of a subset are varied, see `CaptionPipeline`.
package struct CaptionSettings: Equatable, Sendable {
  package var prefix: String?
  package var suffix: String?
  /// Rate of captions left empty.
  package var dropout: Double = 0
  /// Every so many epochs all captions are empty; 0 for never.
  package var dropoutInterval = 0
  package var tagDropout: Double = 0
  package var usesWildcards = false
  package var shuffles = false
  package var separator = ","
  package var secondarySeparator: String?
  /// Tags at the start that stay.
  package var keptTags = 0
  /// Mark behind the tags that stay at the start and, where it stands twice, before those at the end.
  package var keptTagsSeparator: String?
  /// Steps over which the number of tags grows; below 1, their share of all steps.
  package var warmupSteps: Double = 0
  /// Tags shown in the first step.
  package var warmupTags = 1

  package init() {}

  /// Whether each caption is always the same text, so that what text encoders make of it may be kept.
  package var isFixed: Bool {
    dropout == 0 && dropoutInterval == 0 && tagDropout == 0 && !usesWildcards && !shuffles
      && warmupSteps == 0
  }
}
