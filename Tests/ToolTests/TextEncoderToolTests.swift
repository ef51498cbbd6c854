import Foundation
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// The built trainer on tiny transformers of Flux.1 and Stable Diffusion 3, from pictures and captions with text encoders
/// and autoencoder in files of their own.
@Suite(.serialized) struct TextEncoderToolTests {
  enum Model: String, CaseIterable {
    case flux = "flux-dev"
    case stableDiffusion3 = "sd3-medium"

    var family: String { self == .flux ? "flux" : "sd3" }
    var parts: [String] { self == .flux ? ["clip_l", "t5xxl"] : ["clip_l", "clip_g", "t5xxl"] }

    /// `--clip_l FILE` and so on.
    var options: [String] {
      parts.flatMap { part in
        let file = part == "t5xxl" ? "t5" : part
        return [
          "--\(part)", Fixtures.path("training/models/text/\(file).safetensors.zst").string,
        ]
      }
    }
  }

  static let autoencoder = [
    "--ae", Fixtures.path("training/models/decoders/tiny-flux").string,
  ]

  /// A folder with two pictures and their captions.
  private func write(in folder: borrowing TemporaryFolder) throws -> FilePath {
    let target = folder.file("images/1_bag")
    try FileManager.default.createDirectory(
      atPath: target.string, withIntermediateDirectories: true)
    let source = Fixtures.path("training/tiny/images/10_bag")
    let names = try FileManager.default.contentsOfDirectory(atPath: source.string).sorted()
      .filter { $0.hasSuffix(".png") }.prefix(2)
    for (name, caption) in zip(names, ["a red bag", "two blue bags 🐱, on a shelf"]) {
      try FileManager.default.copyItem(
        atPath: source.appending(name).string, toPath: target.appending(name).string)
      let text = name.replacingOccurrences(of: ".png", with: ".txt")
      try caption.write(toFile: target.appending(text).string, atomically: true, encoding: .utf8)
    }
    try Self.writeTokenizer(in: folder)
    return folder.file("images")
  }

  /// T5's, as `spiece.model`.
  static func writeTokenizer(in folder: borrowing TemporaryFolder) throws {
    let bytes = try #require(
      TensorFile(opening: Fixtures.path("training/models/unigram.safetensors.zst"))
        .tensors["spiece.model"]
    ).stored.bytes
    try Data(bytes).write(to: URL(fileURLWithPath: folder.file("spiece.model").string))
  }

  private func train(
    _ model: Model, in folder: borrowing TemporaryFolder, _ name: String, _ arguments: [String]
  ) -> ToolRun {
    ToolRun(
      "lyco-train",
      [
        "--pretrained_model_name_or_path",
        Fixtures.path("training/oracles/\(model.rawValue)/model.safetensors.zst").string,
        "--family", model.family, "--train_data_dir", folder.file("images").string,
        "--resolution", "64", "--output_dir", folder.file("out").string, "--output_name", name,
        "--network_dim", "2", "--max_train_steps", "3", "--seed", "1", "--threads", "1",
        "--network_train_unet_only", "--log_csv", folder.file("\(name).csv").string, "--quiet",
      ] + arguments)
  }

  private func losses(_ name: String, in folder: borrowing TemporaryFolder) throws -> [String] {
    let text = try String(contentsOfFile: folder.file("\(name).csv").string, encoding: .utf8)
    let rows = text.split(separator: "\n").map {
      $0.split(separator: ",", omittingEmptySubsequences: false)
    }
    let column = try #require(rows[0].firstIndex(of: "loss/current"))
    return rows.dropFirst().map { String($0[column]) }
  }

  /// What is encoded once and read from files trains as what is encoded by the run, and needs no encoders.
  @Test(arguments: Model.allCases)
  func captionsAreEncodedOnce(model: Model) throws {
    let folder = TemporaryFolder()
    _ = try write(in: folder)
    let tokenizer = ["--t5xxl_tokenizer", folder.file("spiece.model").string]
    let all = model.options + tokenizer + Self.autoencoder
    let latents = ["--cache_latents_to_disk"]
    let kept = latents + ["--cache_text_encoder_outputs_to_disk"]
    // The first of them encodes the pictures.
    for (name, arguments) in [
      ("whole", all + latents), ("memory", all + latents + ["--cache_text_encoder_outputs"]),
      ("first", all + kept),
      // Of this autoencoder the scale of latents is that of Flux.1, whoever reads them.
      ("second", kept + (model == .flux ? [] : Self.autoencoder)),
    ] {
      let run = train(model, in: folder, name, arguments)
      #expect(run.status == 0, "\(name): \(run.errors)")
    }
    let files = directoryEntries(folder.file("images/1_bag")).filter { $0.hasSuffix(".npz") }
    #expect(files.filter { $0.hasSuffix("_\(model.family)_te.npz") }.count == 2, "\(files)")
    #expect(files.count == 4, "\(files)")
    let expected = try losses("whole", in: folder)
    #expect(Set(expected.filter { !$0.isEmpty }).count == 3, "\(expected)")
    for name in ["memory", "first", "second"] {
      #expect(try losses(name, in: folder) == expected, "\(name)")
    }
    // Other tokens are other losses.
    let masked = train(
      model, in: folder, "masked", all + latents + ["--apply_t5_attn_mask"])
    #expect(masked.status == 0, "\(masked.errors)")
    #expect(try losses("masked", in: folder) != expected)
    let shorter = train(
      model, in: folder, "shorter", all + latents + ["--t5xxl_max_token_length", "8"])
    #expect(shorter.status == 0, "\(shorter.errors)")
    #expect(try losses("shorter", in: folder) != expected)
  }

  /// CLIP is adapted unless the denoiser alone is trained; T5 never is.
  @Test(arguments: Model.allCases)
  func textEncodersAreTrained(model: Model) throws {
    let folder = TemporaryFolder()
    _ = try write(in: folder)
    let run = ToolRun(
      "lyco-train",
      [
        "--pretrained_model_name_or_path",
        Fixtures.path("training/oracles/\(model.rawValue)/model.safetensors.zst").string,
        "--family", model.family, "--train_data_dir", folder.file("images").string,
        "--resolution", "64", "--output_dir", folder.file("out").string, "--output_name", "bag",
        "--network_dim", "2", "--max_train_steps", "2", "--seed", "1", "--threads", "1",
        "--t5xxl_tokenizer", folder.file("spiece.model").string, "--quiet",
      ] + model.options + Self.autoencoder)
    #expect(run.status == 0, "\(run.errors)")
    let keys = try TensorFile(opening: folder.file("out/bag.safetensors")).tensors.keys
    #expect(keys.contains("lora_te1_text_model_encoder_layers_0_self_attn_q_proj.lora_down.weight"))
    #expect(
      keys.contains("lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_up.weight")
        == (model == .stableDiffusion3))
    #expect(!keys.contains { $0.hasPrefix("lora_te3_") })
  }

  /// Each in one line, which says what to do.
  @Test func whatIsMissing() throws {
    let folder = TemporaryFolder()
    _ = try write(in: folder)
    let tokenizer = ["--t5xxl_tokenizer", folder.file("spiece.model").string]
    let parts = Model.flux.options
    for (arguments, says, status) in [
      (Array(parts[2...]) + tokenizer + Self.autoencoder, "'--clip_l PATH'", Int32(1)),
      (Array(parts[..<2]) + tokenizer + Self.autoencoder, "'--t5xxl PATH'", 1),
      (parts + Self.autoencoder, "'--t5xxl_tokenizer PATH'", 1),
      (parts + tokenizer, "VAE", 1),
      (
        parts + tokenizer + Self.autoencoder
          + ["--clip_g", Fixtures.path("training/models/text/clip_g.safetensors.zst").string],
        "whose parts are named by '--clip_l', '--t5xxl'", 1
      ),
      (
        ["--clip_l", parts[3], "--t5xxl", parts[3]] + tokenizer + Self.autoencoder,
        "'--clip_l': expected a file of the CLIP-L text encoder", 1
      ),
      (
        parts + tokenizer + Self.autoencoder + ["--t5xxl_max_token_length", "5000"],
        "t5xxl_max_token_length", 64
      ),
      (
        parts + tokenizer + Self.autoencoder + ["--weighted_captions"],
        "'--weighted_captions': Flux.1 reads no weights", 1
      ),
      (parts + ["--t5xxl_tokenizer", "nowhere"] + Self.autoencoder, "nowhere", 1),
    ] {
      let run = train(.flux, in: folder, "none", arguments + ["--plan"])
      #expect(run.status == status, "\(run.errors)")
      #expect(run.errors.contains(says), "\(run.errors)")
      let lines = run.errors.split(separator: "\n").filter {
        !$0.hasPrefix("note: ") && !$0.hasPrefix("Usage: ") && !$0.hasPrefix("  See ")
      }
      #expect(lines.count == 1, "\(run.errors)")
    }
  }
}
