package import SystemPackage

/// What a subset holds.
package struct SubsetSummary: Equatable, Sendable {
  package let source: FilePath
  /// Images that are trained, without repeats.
  package let images: Int
  package let repeats: Int
  package let isRegularization: Bool
  /// How many captions have each tag, in lower case, in the order of appearance.
  package let tags: [(tag: String, count: Int)]

  init(_ settings: SubsetSettings, images: Int, captions: [String]) {
    source = settings.source
    self.images = images
    repeats = settings.repeats
    isRegularization = settings.isRegularization
    var places: [String: Int] = [:]
    var tags: [(tag: String, count: Int)] = []
    for caption in captions {
      for part in caption.components(separatedBy: ",") {
        let tag = part.trimmed.lowercased()
        guard !tag.isEmpty else { continue }
        if let place = places[tag] {
          tags[place].count += 1
        } else {
          places[tag] = tags.count
          tags.append((tag, 1))
        }
      }
    }
    self.tags = tags
  }

  /// Its name in metadata.
  var name: String { source.lexicallyNormalized().lastComponent?.string ?? source.string }

  package static func == (a: SubsetSummary, b: SubsetSummary) -> Bool {
    a.source == b.source && a.images == b.images && a.repeats == b.repeats
      && a.isRegularization == b.isRegularization
      && a.tags.elementsEqual(b.tags, by: { $0.tag == $1.tag && $0.count == $1.count })
  }
}
