import ArgumentParser
import Images
import Machine
import Safetensors
import Sampling
import SystemPackage

/// Where pictures go, made sure of before the work.
///
/// Folders that were made for nothing go again with the value, so keep it until all is written.
final class PictureFiles {
  /// Of every picture, variant by variant; none where they stand in a grid alone.
  let pictures: [FilePath]
  let grid: FilePath?
  let preview: FilePath?
  private let places: [OutputPlace]
  private(set) var written: [FilePath] = []

  /// - Throws: `ValidationError` for places that cannot be had, `SafetensorsError`
  init(_ options: PictureOutputOptions, of plan: SamplingPlan) throws {
    let count = plan.variants.count * plan.pictures.count
    pictures = options.path.map { Self.paths($0, count) } ?? []
    grid = options.grid.map { FilePath(named: $0) }
    let all = pictures + [grid].compactMap(\.self)
    if let path = OutputPlace.repeated(in: all) {
      throw ValidationError(
        "\(path): expected a place of its own for every output, found one that two are written to")
    }
    if pictures.count > 1, !options.overwrites,
      let there = pictures.first(where: { InputFile.kind(of: $0) != nil })
    {
      throw ValidationError("\(there): it is there already; '--overwrite' replaces it")
    }
    preview = options.preview == nil ? nil : Self.preview(beside: all[0])
    var places = try pictures.count > 1 ? [OutputPlace(pictures[0].folder, .folder)] : []
    places += try (pictures.count == 1 ? all : [grid].compactMap(\.self)).map {
      try OutputPlace($0, .text)
    }
    self.places = places
  }

  deinit { removePreview() }

  /// Writes a whole picture or nothing.
  /// - Throws: `SafetensorsError`
  func write(_ image: RasterImage, to path: FilePath, _ parameters: String? = nil) throws {
    var set = OutputSet()
    try set.add(image.png(parameters.map { [PNGText("parameters", $0)] } ?? []), at: path)
    try set.commit()
    if path != preview { written.append(path) }
  }

  func removePreview() { if let preview { try? preview.removeFile() } }

  /// `out.png`, or `out-000.png`, `out-001.png` and so on, in a folder `sample-000.png`.
  private static func paths(_ output: String, _ count: Int) -> [FilePath] {
    let path = FilePath(named: output)
    let isFolder = !PictureOutputOptions.isPNG(output)
    guard isFolder || count > 1 else { return [path] }
    let folder = isFolder ? path : path.removingLastComponent()
    let stem = isFolder ? "sample" : path.stem ?? "sample"
    let width = max(String(count - 1).count, 3)
    return (0..<count).map { number in
      let digits = String(number)
      let padded = String(repeating: "0", count: width - digits.count) + digits
      return folder.appending(named: "\(stem)-\(padded).png")
    }
  }

  private static func preview(beside path: FilePath) -> FilePath {
    path.removingLastComponent().appending(named: "\(path.stem ?? "sample")-preview.png")
  }
}
