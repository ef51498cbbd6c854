import Glibc
import ModelFamilies
import SystemPackage
import TestSupport

@testable import Training

extension LatentLayout {
  /// Of the small encoders of these tests.
  static let small = LatentLayout(channels: 4, stride: 8, scale: 0.18215, cacheName: "sd")
}

/// A folder of images for one test, made of the fixtures.
struct ImageFolder: ~Copyable {
  let folder = TemporaryFolder()

  var path: FilePath { folder.path }

  /// Puts a copy of a fixture image, 48x40 pixels, into the folder.
  @discardableResult
  func image(
    _ name: String, _ fixture: String = "rgb.png", caption: String? = nil,
    ending: String = ".caption"
  ) throws -> FilePath {
    let path = folder.file(name)
    try bytes(
      name, try contents(of: Fixtures.path("training/data/images").appending(fixture)))
    if let caption {
      try folder.write(name.split(separator: ".")[0] + ending, text: caption)
    }
    return path
  }

  func bytes(_ name: String, _ bytes: [UInt8]) throws {
    try folder.write(name, text: "")
    let file = try FileDescriptor.open(folder.file(name), .writeOnly, options: .truncate)
    try file.closeAfter { _ = try file.writeAll(bytes) }
  }

  /// Defaults that name the folder, at 32x32.
  var defaults: DatasetDefaults {
    var defaults = DatasetDefaults()
    defaults.trainFolder = path
    defaults.values.resolution = Resolution(32, 32)
    return defaults
  }

  func set(
    seed: UInt64 = 1, _ change: (inout DatasetDefaults) -> Void = { _ in }
  ) throws -> TrainingSet {
    var defaults = self.defaults
    change(&defaults)
    return try TrainingSet(DatasetConfiguration(defaults, latents: .small), seed: seed)
  }

  /// The set of a configuration; `FOLDER` stands for the folder.
  func set(
    configuration text: String, json: Bool = false, seed: UInt64 = 1,
    _ change: (inout DatasetDefaults) -> Void = { _ in }
  ) throws -> TrainingSet {
    try TrainingSet(configuration(text, json: json, change), seed: seed)
  }

  func configuration(
    _ text: String, json: Bool = false, _ change: (inout DatasetDefaults) -> Void = { _ in }
  ) throws -> DatasetConfiguration {
    var defaults = DatasetDefaults()
    defaults.configuration = try folder.write(
      "configuration.\(json ? "json" : "toml")",
      text: text.replacingAll("FOLDER", with: path.string))
    change(&defaults)
    return try DatasetConfiguration(defaults, latents: .small)
  }
}

/// The error's text, which must be one line.
func message(of body: () throws -> Void) -> String {
  do {
    try body()
    return "no error"
  } catch {
    let text = "\(error)"
    return text.contains("\n") ? "several lines: \(text)" : text
  }
}
