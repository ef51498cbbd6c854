/// One number of a run by steps, in so few entries that they do not grow with the run: an entry is the mean, the least
/// and the most of neighbouring steps once there are too many for one each.
package struct BoundedSeries: Codable, Equatable, Sendable {
  package struct Entry: Codable, Equatable, Sendable {
    /// The last of its steps.
    package fileprivate(set) var step: Int
    /// How many numbers it stands for.
    package fileprivate(set) var count: Int
    package fileprivate(set) var mean: Double
    package fileprivate(set) var least: Double
    package fileprivate(set) var most: Double
  }

  /// So many entries are kept at most.
  package static let limit = 512

  /// In ascending order of steps.
  package private(set) var entries: [Entry] = []
  /// How many numbers an entry takes.
  package private(set) var width = 1

  package init() {}

  /// - Precondition: the step is not before those that are there.
  package mutating func append(_ value: Double, step: Int) {
    if let last = entries.last, last.count < width {
      entries[entries.count - 1] = Self.joined(
        last, Entry(step: step, count: 1, mean: value, least: value, most: value))
      return
    }
    if entries.count == Self.limit {
      entries = stride(from: 0, to: entries.count, by: 2).map {
        $0 + 1 < entries.count ? Self.joined(entries[$0], entries[$0 + 1]) : entries[$0]
      }
      width *= 2
      return append(value, step: step)
    }
    entries.append(Entry(step: step, count: 1, mean: value, least: value, most: value))
  }

  /// Lets go what is behind a step.
  package mutating func cut(after step: Int) { entries.removeAll { $0.step > step } }

  private static func joined(_ a: Entry, _ b: Entry) -> Entry {
    let count = a.count + b.count
    return Entry(
      step: b.step, count: count,
      mean: (a.mean * Double(a.count) + b.mean * Double(b.count)) / Double(count),
      least: min(a.least, b.least), most: max(a.most, b.most))
  }
}
