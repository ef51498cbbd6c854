import Images
import SystemPackage
import Training

/// Sample pictures as the page of a run holds them: small, and of few bytes together.
struct SamplePictures {
  /// Of the longer side.
  private static let extent = 160
  /// Of all together.
  private static let mostBytes = 1 << 20

  /// PNG files, by the file of the whole picture.
  private var files: [String: [UInt8]] = [:]

  /// - Returns: nil for a picture that is not there, or has no room.
  func png(of sample: TrainingHistory.Sample) -> [UInt8]? { files[sample.file] }

  mutating func add(_ picture: TrainingObserver.Picture) {
    add(picture.image, as: picture.path.string)
  }

  /// One of an earlier part of the run, where its file is still there.
  mutating func read(_ sample: TrainingHistory.Sample) {
    guard let image = try? RasterImage(decoding: FilePath(sample.file)) else { return }
    add(image, as: sample.file)
  }

  /// Lets go all others.
  mutating func keep(_ samples: [TrainingHistory.Sample]) {
    let names = Set(samples.map(\.file))
    files = files.filter { names.contains($0.key) }
  }

  private mutating func add(_ image: RasterImage, as name: String) {
    let scale = min(1, Double(Self.extent) / Double(max(image.width, image.height)))
    let small = image.resized(
      width: max(1, Int(Double(image.width) * scale)),
      height: max(1, Int(Double(image.height) * scale)))
    let png = small.png()
    let total = files.values.reduce(png.count) { $0 + $1.count }
    if total <= Self.mostBytes { files[name] = png }
  }
}
