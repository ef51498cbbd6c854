import Images
import Machine
import SystemPackage

/// Reads the captions that lie beside images.
struct CaptionFiles {
  private let subset: SubsetSettings
  /// What caption files end in.
  let ending: String

  /// Most bytes of a caption file. What a text encoder reads of it is a few hundred.
  private static var longest: Int { DataLimits.factor << 20 }

  /// Endings that tools of the field give caption files.
  private static let usualEndings = [".caption", ".txt", ".tags", ".text", ".cap"]

  init(of subset: SubsetSettings) {
    self.subset = subset
    ending = subset.captionExtension ?? ".caption"
  }

  /// What captions in a folder, or in the folders in it, end in; nil where there are none.
  static func commonEnding(in folder: FilePath) throws(DatasetError) -> String? {
    let folders =
      [folder] + (try FileListing.folders(in: folder).map { folder.appending(named: $0) })
    for folder in folders {
      for image in try FileListing.images(in: folder) {
        let path = folder.appending(named: image)
        if let found = usualEndings.first(where: {
          FileListing.exists(file(beside: path.withoutEnding, $0))
        }) {
          return found
        }
      }
    }
    return nil
  }

  /// The images with their captions. Those without a file have that of the class, or none.
  /// - Throws: `DatasetError.caption`, `.io`
  func entries(_ images: [FilePath]) throws(DatasetError) -> [ImageEntry] {
    var entries: [ImageEntry] = []
    for image in images {
      if let caption = try caption(of: image) {
        entries.append(ImageEntry(path: image, caption: caption))
      } else {
        entries.append(
          ImageEntry(path: image, caption: subset.classTokens ?? "", isOfClass: true))
      }
    }
    return entries
  }

  /// An ending that was not asked for, and how many of the images have a file of it beside them.
  func otherEnding(beside images: [FilePath]) -> (ending: String, count: Int)? {
    for other in Self.usualEndings where other != ending {
      let count = images.count { FileListing.exists(Self.file(beside: $0.withoutEnding, other)) }
      if count > 0 { return (other, count) }
    }
    return nil
  }

  private func caption(of image: FilePath) throws(DatasetError) -> String? {
    for stem in Self.stems(of: image) {
      let file = Self.file(beside: stem, ending)
      guard FileListing.exists(file) else { continue }
      return try text(of: file)
    }
    return nil
  }

  /// The first line, or with wildcards all that are not empty.
  private func text(of file: FilePath) throws(DatasetError) -> String {
    let text = try FileListing.text(of: file, atMost: Self.longest)
    let lines = text.lines.map(\.trimmed)
    // A blank line is a caption without words, as in sd-scripts.
    guard !text.isEmpty else {
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
    FilePath(named: stem.text + ending)
  }
}
