/// Turns the text of a caption file into what is trained, in the order of sd-scripts
/// (library/train_util.py, `process_caption`): prefix and suffix, dropout of the whole, lines and
/// wildcards, tags that stay, growing number of tags, shuffling, dropout of tags, second separator.
///
/// Draws are keyed by seed, epoch and sample, so a resumed run sees the captions it would have seen.
package struct CaptionPipeline: Sendable {
  private let settings: CaptionSettings

  package init(_ settings: CaptionSettings) { self.settings = settings }

  /// When and for whom a caption is made.
  package struct Moment: Sendable {
    package let seed: UInt64
    /// From 0. sd-scripts counts from 1, which `dropoutInterval` goes by.
    package let epoch: Int
    /// Identity of the sample in its epoch.
    package let sample: Int
    /// Steps of the optimizer that are done.
    package let step: Int
    /// Steps of the whole run.
    package let stepCount: Int

    package init(seed: UInt64, epoch: Int, sample: Int, step: Int, stepCount: Int) {
      (self.seed, self.epoch, self.sample) = (seed, epoch, sample)
      (self.step, self.stepCount) = (step, stepCount)
    }

    func generator(_ purpose: RandomPurpose) -> CounterGenerator {
      CounterGenerator(seed: seed, epoch: epoch, sample: sample, purpose: purpose)
    }
  }

  package func caption(_ text: String, at moment: Moment) -> String {
    var caption = text
    if let prefix = settings.prefix { caption = prefix + " " + caption }
    if let suffix = settings.suffix { caption += " " + suffix }
    guard !isDropped(moment) else { return "" }

    var generator = moment.generator(.caption)
    if settings.usesWildcards {
      caption = Wildcards.resolved(caption, using: &generator)
    } else {
      caption = caption.components(separatedBy: "\n", limit: 2)[0]
    }
    if settings.shuffles || settings.warmupSteps > 0 || settings.tagDropout > 0 {
      caption = withTagsVaried(caption, moment, &generator)
    }
    if let second = settings.secondarySeparator {
      caption = caption.replacingAll(second, with: settings.separator)
    }
    return caption
  }

  private func isDropped(_ moment: Moment) -> Bool {
    if settings.dropoutInterval > 0, (moment.epoch + 1) % settings.dropoutInterval == 0 {
      return true
    }
    guard settings.dropout > 0 else { return false }
    var generator = moment.generator(.captionDropout)
    return Double(generator.uniform()) < settings.dropout
  }

  private func withTagsVaried(
    _ caption: String, _ moment: Moment, _ generator: inout CounterGenerator
  ) -> String {
    var (head, tags, tail) = divided(caption)
    if let count = tagCount(of: tags.count, moment) { tags = Array(tags.prefix(count)) }
    if settings.shuffles {
      for i in tags.indices.dropFirst().reversed() {
        tags.swapAt(i, generator.integer(below: i + 1))
      }
    }
    if settings.tagDropout > 0 {
      var draws = moment.generator(.tagDropout)
      tags.removeAll { _ in Double(draws.uniform()) < settings.tagDropout }
    }
    // Whoever divides tags by another sign than a comma wants them to stay divided by it.
    let separator = settings.separator
    let endsInSpace = separator.unicodeScalars.last?.properties.isWhitespace ?? true
    let spaced = endsInSpace ? separator : separator + " "
    return (head + tags + tail).joined(separator: spaced)
  }

  /// Tags that stay at the start, those that vary, and those that stay at the end.
  private func divided(_ caption: String) -> (head: [String], tags: [String], tail: [String]) {
    func tags(_ text: String) -> [String] {
      text.components(separatedBy: settings.separator).map(\.trimmed)
    }
    if let mark = settings.keptTagsSeparator {
      let parts = caption.components(separatedBy: mark, limit: 3)
      if parts.count > 1 {
        let divided = parts.map { tags($0).filter { !$0.isEmpty } }
        return (divided[0], divided[1], parts.count > 2 ? divided[2] : [])
      }
    }
    let all = tags(caption.trimmed)
    return (Array(all.prefix(settings.keptTags)), Array(all.dropFirst(settings.keptTags)), [])
  }

  /// How many of the tags are shown so early in the run; nil for all.
  private func tagCount(of count: Int, _ moment: Moment) -> Int? {
    var steps = settings.warmupSteps
    if steps < 1 { steps = (steps * Double(moment.stepCount)).rounded(.down) }
    guard steps > 0, Double(moment.step) < steps else { return nil }
    let least = Double(settings.warmupTags)
    let grown = (Double(moment.step) * ((Double(count) - least) / steps)).rounded(.down) + least
    return Int(max(0, min(Double(count), grown)))
  }
}
