import Images
import Safetensors
import SystemPackage

/// The files that pictures are written to, made sure of before the work.
///
/// Folders that were made for nothing go again with the value, and so does a preview that was written; keep it until
/// all is done.
final class PictureFiles {
  /// Of every picture, variant by variant; none where they stand in a grid alone.
  var pictures: [FilePath] { places.pictures }
  var grid: FilePath? { places.grid }
  /// Behind links, so that what is removed is what was written.
  let preview: FilePath?
  private let places: PicturePlaces
  private let kept: [OutputPlace]
  private(set) var written: [FilePath] = []
  private var hasPreview = false

  /// - Throws: `SafetensorsError`
  init(_ places: PicturePlaces) throws {
    self.places = places
    let (pictures, others) = (places.pictures, [places.grid, places.preview].compactMap(\.self))
    var kept = try pictures.count > 1 ? [OutputPlace(pictures[0].folder, .folder)] : []
    kept += try (pictures.count == 1 ? pictures + others : others).map {
      try OutputPlace($0, .text)
    }
    self.kept = kept
    preview = try places.preview.map { try PendingFile.target(of: $0) }
  }

  deinit { removePreview() }

  /// Writes a whole picture or nothing.
  /// - Throws: `SafetensorsError`
  func write(_ image: RasterImage, to path: FilePath, _ parameters: String? = nil) throws {
    try Self.put(image, path, parameters)
    written.append(path)
  }

  /// Writes what is there yet; nothing without a place for it.
  /// - Throws: `SafetensorsError`
  func writePreview(_ image: RasterImage) throws {
    guard let preview else { return }
    try Self.put(image, preview, nil)
    hasPreview = true
  }

  /// Removes what was written as such, and nothing else.
  func removePreview() {
    guard hasPreview, let preview else { return }
    hasPreview = false
    try? preview.removeFile()
  }

  private static func put(_ image: RasterImage, _ path: FilePath, _ parameters: String?) throws {
    var set = OutputSet()
    try set.add(image.png(parameters.map { [PNGText("parameters", $0)] } ?? []), at: path)
    try set.commit()
  }
}
