import Foundation
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Caches, checkpoints and options of video models that cannot be trained with: one line by run and plan, status 64
/// for what options say and 1 for what files do, and nothing left behind.
@Suite(.serialized) struct VideoErrorTests {
  private static let latents = "a_00000-005_0048x0032_wan.safetensors"
  private static let text = "a_wan_te.safetensors"

  private func expectRefusal(
    _ run: borrowing VideoRun, dit: FilePath? = nil, _ arguments: [String] = [],
    byPlan: Bool = true, says parts: [String], status: Int32 = 1,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let before = run.folder.entries
    for plan in byPlan ? [[], ["--plan"]] : [[]] {
      let result = run.train(dit: dit ?? run.weights, arguments + plan)
      #expect(result.status == status, "\(result.errors)", sourceLocation: sourceLocation)
      for part in parts {
        #expect(result.errors.contains(part), "\(result.errors)", sourceLocation: sourceLocation)
      }
      let lines = result.errors.split(separator: "\n").filter {
        !$0.hasPrefix("note: ") && !$0.hasPrefix("Usage: ") && !$0.hasPrefix("  See ")
      }
      #expect(lines.count == 1, "\(result.errors)", sourceLocation: sourceLocation)
      #expect(run.folder.entries == before, sourceLocation: sourceLocation)
    }
  }

  /// Writes a cache anew with other arrays.
  private func rewrite(
    _ name: String, in cache: FilePath, _ folder: borrowing TemporaryFolder,
    metadata change: (inout [String: String]) -> Void = { _ in },
    _ tensors: [String: EncodedTensor]? = nil
  ) throws {
    let file = try TensorFile(opening: cache.appending(name))
    var metadata = file.metadata
    change(&metadata)
    let contents = tensors ?? file.contents
    try FileManager.default.removeItem(atPath: cache.appending(name).string)
    try folder.write("cache/\(name)", contents, metadata: metadata)
  }

  @Test func cachesOfAnotherModel() throws {
    let run = try VideoRun(.hunyuanVideo)
    try run.writeDatasets(cache: Fixtures.path("training/oracles/wan-t2v-128/cache"))
    expectRefusal(
      run,
      says: ["expected caches of latents '*_hv.safetensors'", "'wan'", "'cache_latents.py'"])
    let named = try VideoRun(.wan)
    try rewrite(
      Self.latents, in: try named.copyCaches(), named.folder,
      metadata: { $0["architecture"] = "hunyuan_video" })
    expectRefusal(
      named, says: [Self.latents, "expected a cache for 'wan', found one for 'hunyuan_video'"])
  }

  @Test func otherResolution() throws {
    let run = try VideoRun(.wan)
    try run.writeDatasets(resolution: "[64, 64]")
    expectRefusal(run, says: [Self.latents, "expected latents [16, 2, 6, 10]", "[16, 2, 4, 6]"])
  }

  @Test func missingText() throws {
    let run = try VideoRun(.wan)
    let cache = try run.copyCaches()
    try FileManager.default.removeItem(atPath: cache.appending(Self.text).string)
    expectRefusal(
      run, says: [Self.text, "found none", "'wan_cache_text_encoder_outputs.py'"])
  }

  @Test func truncatedCache() throws {
    let run = try VideoRun(.wan)
    let path = try run.copyCaches().appending(Self.latents)
    let bytes = try contents(of: path)
    try Data(bytes.dropLast(100)).write(to: URL(filePath: path.string))
    expectRefusal(run, says: [Self.latents, "'wan_cache_latents.py'"])
  }

  @Test func otherChannels() throws {
    let run = try VideoRun(.wan)
    try rewrite(
      Self.latents, in: try run.copyCaches(), run.folder,
      ["latents_2x4x6_bfloat16": EncodedTensor(Tensor(zeros: [12, 2, 4, 6]), as: .bf16)])
    expectRefusal(run, says: [Self.latents, "16", "12"])
  }

  @Test func noNumber() throws {
    let run = try VideoRun(.wan)
    var latents = Tensor(zeros: [16, 2, 4, 6])
    latents.elements[100] = .nan
    try rewrite(
      Self.latents, in: try run.copyCaches(), run.folder,
      ["latents_2x4x6_bfloat16": EncodedTensor(latents, as: .bf16)])
    // A plan looks at headers alone.
    expectRefusal(run, byPlan: false, says: [Self.latents, "NaN"])
  }

  /// Wan 2.2 5B has latents of 48 channels, Fun and VACE see more than a first picture.
  @Test(arguments: [(48, "found 48"), (52, "found 52"), (96, "found 96")])
  func checkpointOfOtherChannels(channels: Int, says: String) throws {
    let run = try VideoRun(.wan)
    try VideoModel(.wan, knownChannels: channels - 16).write(in: run.folder)
    expectRefusal(
      run, dit: run.folder.file("model.safetensors"),
      says: ["model.safetensors: expected a transformer that sees 16 or 36 channels", says])
  }

  /// What a graph does not read is not left out without a word: blocks of VACE, places of a first and a last picture.
  @Test func partsThatNothingReads() throws {
    let run = try VideoRun(.wan)
    var tensors = try TensorFile(opening: run.weights).contents
    for (name, tensor) in tensors where name.hasPrefix("blocks.0.") {
      tensors["vace_" + name] = tensor
    }
    tensors["vace_patch_embedding.weight"] = EncodedTensor(
      Tensor(zeros: [128, 96, 1, 2, 2]), as: .f32)
    try run.folder.write("model.safetensors", tensors)
    expectRefusal(
      run, dit: run.folder.file("model.safetensors"),
      says: ["model.safetensors: expected a transformer that sees text", "found 'vace_"])

    tensors = tensors.filter { !$0.key.hasPrefix("vace_") }
    tensors["img_emb.emb_pos"] = EncodedTensor(Tensor(zeros: [1, 514, 16]), as: .f32)
    try run.folder.write("model.safetensors", tensors)
    expectRefusal(
      run, dit: run.folder.file("model.safetensors"),
      says: ["model.safetensors: expected a transformer that sees text", "'img_emb.emb_pos'"])
  }

  @Test func moduleOfAnotherModel() throws {
    let run = try VideoRun(.hunyuanVideo)
    expectRefusal(
      run, ["--network_module", "networks.lora_wan"],
      says: ["'--network_module networks.lora_wan' is for Wan", "HunyuanVideo"], status: 64)
  }

  @Test(arguments: [
    (["--timestep_sampling", "shifted"], "found 'shifted'"),
    (["--weighting_scheme", "cosine"], "found 'cosine'"),
    (["--discrete_flow_shift", "0"], "'--discrete_flow_shift': expected a number above 0"),
    (["--min_timestep", "700", "--max_timestep", "200"], "--max_timestep"),
    (["--num_timestep_buckets", "-1"], "--num_timestep_buckets"),
    (["--dit_dtype", "int4"], "--dit_dtype"),
    (["--fp8_scaled"], "'--fp8_scaled' is only valid with '--fp8_base'"),
    (["--train_data_dir", "images", "--dataset_config", ""], "--dataset_config"),
  ])
  func options(arguments: [String], says: String) throws {
    let run = try VideoRun(.wan)
    expectRefusal(run, arguments, says: [says], status: 64)
  }

  @Test func noDatasets() throws {
    let run = try VideoRun(.wan)
    let result = ToolRun(
      "lyco-train", ["--dit", run.weights.string, "--output_dir", "out", "--quiet"],
      in: run.folder.path)
    #expect(result.status == 64, "\(result.errors)")
    #expect(result.errors.contains("no caches: expected '--dataset_config'"), "\(result.errors)")
    #expect(!run.folder.entries.contains("out"))
  }
}
