import Images
import Machine
import Safetensors
import SystemPackage

/// Reads the captions of a metadata file: sd-scripts' JSON of `"image": {"caption": …, "tags": …}`, or
/// lines of `{"image_path": …, "caption": …}`.
struct CaptionMetadata {
  private let subset: SubsetSettings
  private let file: FilePath

  /// Most bytes of a metadata file: a million captions.
  private static var largest: Int { DataLimits.factor << 30 }

  /// - Precondition: `subset.metadataFile` is given
  init(of subset: SubsetSettings) {
    guard let file = subset.metadataFile else {
      preconditionFailure("no metadata file of \(subset.source)")
    }
    self.subset = subset
    self.file = file
  }

  /// In the order of their paths.
  /// - Throws: `DatasetError.io`, `.metadata`
  func entries() throws(DatasetError) -> [ImageEntry] {
    let text = try FileListing.text(of: file, atMost: Self.largest)
    var entries: [ImageEntry] = []
    if file.extension?.lowercased() == "jsonl" {
      for (i, line) in text.lines.enumerated() where !line.trimmed.isEmpty {
        let name = "line \(i + 1)"
        guard let value = JSONValue(parsing: line) else {
          throw .metadata(file, entry: name, detail: "not valid JSON")
        }
        guard case .string(let image) = value["image_path"] else {
          throw .metadata(file, entry: name, detail: "expected 'image_path', found none")
        }
        entries.append(try entry(image, value))
      }
    } else {
      guard let root = JSONValue(parsing: text) else {
        throw .metadata(file, entry: nil, detail: "not valid JSON")
      }
      guard case .object(let members) = root else {
        throw .metadata(
          file, entry: nil, detail: "expected an object with a member for each image, found none")
      }
      for (image, value) in members { entries.append(try entry(image, value)) }
    }
    return entries.sorted { $0.path.string.utf8.lexicographicallyPrecedes($1.path.string.utf8) }
  }

  private func entry(_ image: String, _ value: JSONValue) throws(DatasetError) -> ImageEntry {
    let caption = try text("caption", of: value, image)
    let tags = try text("tags", of: value, image)
    guard caption != nil || tags != nil || subset.classTokens != nil else {
      throw .metadata(
        file, entry: "entry '\(image)'", detail: "expected 'caption' or 'tags', found neither")
    }
    return ImageEntry(
      path: try path(of: image),
      caption: joined(caption ?? "", tags) ?? subset.classTokens ?? "",
      isOfClass: caption == nil && tags == nil)
  }

  private func text(
    _ key: String, of value: JSONValue, _ image: String
  ) throws(DatasetError) -> String? {
    switch value[key] {
    case .none, .null: return nil
    case .string(let text): return text
    case .some:
      throw .metadata(
        file, entry: "entry '\(image)'", detail: "'\(key)': expected a text, found another value")
    }
  }

  /// Tags stand behind the caption, with wildcards behind each of its lines.
  private func joined(_ caption: String, _ tags: String?) -> String? {
    guard let tags, !tags.isEmpty else { return caption.isEmpty ? nil : caption }
    let separator = subset.captions.separator
    guard subset.captions.usesWildcards else {
      return caption.isEmpty ? tags : caption + separator + tags
    }
    let line = tags.replacingAll("\n", with: separator)
    let lines = caption.components(separatedBy: "\n").filter { !$0.trimmed.isEmpty }
    return lines.isEmpty
      ? line : lines.map { $0 + separator + line }.joined(separator: "\n")
  }

  /// A whole path, one below the folder of images, or one without its ending, as sd-scripts' older
  /// scripts wrote it.
  private func path(of image: String) throws(DatasetError) -> FilePath {
    let given = FilePath(image)
    let path =
      given.isAbsolute
      ? given : (subset.folder ?? file.removingLastComponent()).pushing(given)
    if FileListing.exists(path) { return path }
    for ending in ["png", "jpg", "jpeg", "webp"] {
      var candidate = path
      candidate.extension = ending
      // Names such as `photo.v2` have no ending that could be replaced.
      let appended = FilePath(named: path.text + "." + ending)
      for file in [appended, candidate] where FileListing.exists(file) { return file }
    }
    throw .metadata(
      file, entry: "entry '\(image)'",
      detail: "expected an image at \(path), found none"
        + (given.isAbsolute || subset.folder != nil ? "" : "; is 'image_dir' missing?"))
  }
}
