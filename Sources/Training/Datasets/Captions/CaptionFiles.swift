import SystemPackage

/// Reads the captions that lie beside images.
struct CaptionFiles {
  private let subset: SubsetSettings
  /// Endings that are looked for, in this order.
  private let endings: [String]

  private static let standardEndings = [".caption", ".txt"]

  init(of subset: SubsetSettings) {
    self.subset = subset
    endings = subset.captionExtension.map { [$0] } ?? Self.standardEndings
  }

  /// The images with their captions. Those without a file have that of the class.
  /// - Throws: `DatasetError.missingCaptions` if there is none, `.caption`, `.io`
  func entries(_ images: [FilePath]) throws(DatasetError) -> [ImageEntry] {
    var entries: [ImageEntry] = []
    var missing: [FilePath] = []
    for image in images {
      if let caption = try caption(of: image) {
        entries.append(ImageEntry(path: image, caption: caption))
      } else if let tokens = subset.classTokens {
        entries.append(ImageEntry(path: image, caption: tokens, isOfClass: true))
      } else {
        missing.append(image)
      }
    }
    guard missing.isEmpty else {
      throw .missingCaptions(
        count: missing.count, of: images.count, first: missing.prefix(3).map(\.string),
        wanted: endings.joined(separator: "' or '"),
        otherEnding: otherEnding(beside: missing))
    }
    return entries
  }

  /// An ending that was not asked for, and that a file beside one of the images has.
  func otherEnding(beside images: [FilePath]) -> String? {
    (Self.standardEndings + [".text", ".cap"]).first { ending in
      !endings.contains(ending)
        && images.contains { FileListing.exists(Self.file(beside: $0.withoutEnding, ending)) }
    }
  }

  private func caption(of image: FilePath) throws(DatasetError) -> String? {
    for ending in endings {
      for stem in Self.stems(of: image) {
        let file = Self.file(beside: stem, ending)
        guard FileListing.exists(file) else { continue }
        return try text(of: file)
      }
    }
    return nil
  }

  /// The first line, or with wildcards all that are not empty.
  private func text(of file: FilePath) throws(DatasetError) -> String {
    let text = try FileListing.text(of: file)
    let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
      .map { String($0).trimmed }
    guard lines.contains(where: { !$0.isEmpty }) else {
      throw .caption(
        file, detail: "expected a caption, found an empty file; remove it, or write the caption")
    }
    guard subset.captions.usesWildcards else { return lines[0] }
    return lines.filter { !$0.isEmpty }.joined(separator: "\n")
  }

  /// The image's name, and that without the four numbers which sd-scripts' face detection appends.
  private static func stems(of image: FilePath) -> [FilePath] {
    let stem = image.withoutEnding
    let parts = (stem.lastComponent?.string ?? "").split(
      separator: "_", omittingEmptySubsequences: false)
    guard parts.count >= 5 else { return [stem] }
    let name = parts.dropLast(4).joined(separator: "_")
    return [stem] + (name.isEmpty ? [] : [stem.removingLastComponent().appending(name)])
  }

  private static func file(beside stem: FilePath, _ ending: String) -> FilePath {
    stem.removingLastComponent().appending((stem.lastComponent?.string ?? "") + ending)
  }
}
