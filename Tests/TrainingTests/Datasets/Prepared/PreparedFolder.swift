import ModelFamilies
import Pipelines
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Training

/// What a small model asks of its caches.
struct PreparedModel {
  let latents: LatentLayout
  let items: PreparedItems

  init(_ family: String, _ arrays: [PreparedItems.Array]) throws {
    let family = try #require(ModelFamily.named(family))
    latents = try #require(family.latents)
    items = PreparedItems(try #require(family.prepared), arrays)
  }

  /// As the small Wan of the oracles.
  static func wan(_ more: [PreparedItems.Array] = []) throws -> PreparedModel {
    try PreparedModel("wan", [.text("t5", [nil, 16])] + more)
  }

  /// The same of a model of pictures, whose latents need no frames.
  static func pictures() throws -> PreparedModel {
    let wan = try wan()
    return PreparedModel(
      latents: LatentLayout(channels: 16, stride: 8, scale: 1, cacheName: "wan"), items: wan.items)
  }

  private init(latents: LatentLayout, items: PreparedItems) {
    (self.latents, self.items) = (latents, items)
  }

  func configuration(
    _ file: FilePath, _ change: (inout DatasetDefaults) -> Void = { _ in }
  ) throws -> DatasetConfiguration {
    var defaults = DatasetDefaults()
    defaults.configuration = file
    change(&defaults)
    return try DatasetConfiguration(defaults, latents: latents, prepared: items.layout)
  }

  func set(
    _ file: FilePath, seed: UInt64 = 1, _ change: (inout DatasetDefaults) -> Void = { _ in }
  ) throws -> TrainingSet {
    try TrainingSet(
      configuration(file, change), seed: seed, prepared: items, latents: latents)
  }

  /// All batches of an epoch.
  func batches(
    of set: TrainingSet, epoch: Int = 0, from first: Int = 0, threads: Int = 2
  ) throws -> [TrainingBatch] {
    var settings = BatchLoader.Settings(seed: 3, epoch: epoch, stride: latents.stride)
    settings.threads = threads
    let plans = Array(set.batches(epoch: epoch, seed: 3).dropFirst(first))
    let loader = BatchLoader(plans, of: set, cache: nil, settings)
    var batches: [TrainingBatch] = []
    while let batch = try loader.next() { batches.append(batch) }
    return batches
  }
}

/// A folder of caches for one test, as musubi-tuner would have written them for Wan.
struct PreparedFolder: ~Copyable {
  let folder = TemporaryFolder()

  /// Writes the cache of latents of an item, filled with a number that is its own.
  /// - Parameters:
  ///   - name: without its ending.
  ///   - shape: `[channels, frames, height, width]`
  ///   - more: further arrays by their whole names.
  @discardableResult
  func latents(
    _ name: String, _ shape: Shape, value: Float = 1, more: [String: Tensor] = [:],
    metadata: [String: String] = ["architecture": "wan", "format_version": "1.0.1"],
    dtype: DType = .bf16
  ) throws -> FilePath {
    let size = shape.dimensions.dropFirst().map { "\($0)" }.joined(separator: "x")
    var tensors = more
    tensors["latents_\(size)_bfloat16"] = Tensor(
      shape, Array(repeating: value, count: shape.count))
    return try folder.write(
      "cache/\(name)_wan.safetensors",
      tensors.mapValues { EncodedTensor($0, as: dtype) }, metadata: metadata)
  }

  /// Writes the cache of a caption of four tokens.
  @discardableResult
  func text(
    _ stem: String, width: Int = 16, caption: String = "a cat",
    architecture: String = "wan"
  ) throws -> FilePath {
    try folder.write(
      "cache/\(stem)_wan_te.safetensors",
      ["varlen_t5_bfloat16": EncodedTensor(Tensor(random: [4, width], seed: 5), as: .bf16)],
      metadata: ["architecture": architecture, "caption1": caption, "format_version": "1.0.1"])
  }

  /// An image of 48x32 pixels with its caption.
  func image(_ stem: String, value: Float = 1) throws {
    try latents("\(stem)_0048x0032", [16, 1, 4, 6], value: value)
    try text(stem)
  }

  /// A configuration of one dataset of images; `FOLDER` stands for the folder.
  func configuration(
    _ keys: String = "", of kind: String = "image_directory", resolution: String = "[48, 32]"
  ) throws -> FilePath {
    try folder.write(
      "dataset.toml",
      text: """
        [general]
        resolution = \(resolution)
        [[datasets]]
        \(kind) = "FOLDER/\(kind)"
        cache_directory = "FOLDER/cache"
        \(keys)
        """.replacingAll("FOLDER", with: folder.path.string))
  }

  /// The error's text with `FOLDER` for the folder.
  func message(_ body: () throws -> Void) -> String {
    Main.message(of: body).replacingAll(folder.path.string, with: "FOLDER")
  }
}

/// For a name that a member hides.
private enum Main {
  static func message(of body: () throws -> Void) -> String { TrainingTests.message(of: body) }
}
