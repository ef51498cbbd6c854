import Foundation
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Runs of the built trainer on caches of the oracles, each in a folder of its own.
struct VideoRun: ~Copyable {
  let folder = TemporaryFolder()
  /// Of `Fixtures/training/oracles`.
  let oracle: FilePath
  let module: String
  /// Whose weights it has.
  private let family: VideoModel.Family

  init(_ oracle: String) throws {
    self.oracle = Fixtures.path("training/oracles/\(oracle)")
    family = VideoModel.Family.allCases.first { oracle.hasPrefix($0.rawValue) } ?? .wan
    module = family.module
    try writeDatasets()
  }

  init(_ family: VideoModel.Family, seesPicture: Bool = false) throws {
    try self.init(seesPicture ? "wan22-i2v" : family.oracle)
  }

  /// Writes `dataset.toml`.
  /// - Parameters:
  ///   - cache: the oracle's caches if nil.
  ///   - keys: further lines.
  func writeDatasets(
    cache: FilePath? = nil, resolution: String? = nil, _ keys: String...
  ) throws {
    let isOfPictures = family == .qwenImage
    try folder.write(
      "dataset.toml",
      text: """
        [general]
        resolution = \(resolution ?? (isOfPictures ? "[64, 48]" : "[48, 32]"))
        enable_bucket = false
        [[datasets]]
        \(isOfPictures ? "image_directory = \"images\"" : "video_directory = \"videos\"\ntarget_frames = [5]")
        cache_directory = "\(cache ?? oracle.appending("cache"))"
        \(keys.joined(separator: "\n"))

        """)
  }

  /// A copy of the oracle's caches that may be changed.
  func copyCaches() throws -> FilePath {
    let copy = folder.file("cache")
    try FileManager.default.copyItem(
      atPath: oracle.appending("cache").string, toPath: copy.string)
    try writeDatasets(cache: copy)
    return copy
  }

  /// Two steps from `model.safetensors` of the folder, or from `dit`.
  func train(
    dit: FilePath? = nil, name: String = "a", steps: Int = 2, _ arguments: [String]
  ) -> ToolRun {
    ToolRun(
      "lyco-train",
      [
        "--dit", (dit ?? folder.file("model.safetensors")).string, "--dataset_config",
        "dataset.toml", "--network_module", module, "--network_dim", "4", "--output_dir", "out",
        "--output_name", name, "--max_train_steps", "\(steps)", "--seed", "1", "--threads", "1",
        "--quiet", "--log_csv", "\(name).csv",
      ] + arguments, in: folder.path)
  }

  /// The oracle's weights.
  var weights: FilePath {
    let folder = family == .qwenImage ? Fixtures.path("training/oracles/qwen-image") : oracle
    return folder.appending("model.safetensors.zst")
  }

  /// The losses of all steps.
  func losses(of name: String = "a") throws -> [Double] {
    let text = try String(contentsOfFile: folder.file("\(name).csv").string, encoding: .utf8)
    return text.split(separator: "\n").dropFirst().compactMap { line in
      Double(line.split(separator: ",", omittingEmptySubsequences: false)[2])
    }
  }

  /// Trains without moving anything, and gives the losses.
  func losses(
    of model: VideoModel, steps: Int = 2, _ arguments: [String],
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> [Double] {
    try model.write(in: folder)
    let run = train(steps: steps, ["--learning_rate", "1e-30"] + arguments)
    #expect(run.status == 0, "\(run.errors)", sourceLocation: sourceLocation)
    let losses = try losses()
    #expect(losses.count == steps, sourceLocation: sourceLocation)
    return losses
  }

  /// The tensors of an adapter that a run wrote.
  func adapter(_ name: String = "a") throws -> [String: EncodedTensor] {
    try TensorFile(opening: folder.file("out/\(name).safetensors")).contents
  }

  /// What the caches of both items hold under a name, `a` and `b` one after the other.
  func cached(_ array: String) throws -> [Tensor] {
    let cache = oracle.appending("cache")
    return try directoryEntries(cache).filter { !$0.hasSuffix("_te.safetensors") }.map { name in
      let file = try TensorFile(opening: cache.appending(name))
      let name = array + (family == .qwenImage ? "_1x" : "_2x")
      return try #require(file.tensors.first { $0.key.hasPrefix(name) }?.value).tensor()
    }
  }
}
