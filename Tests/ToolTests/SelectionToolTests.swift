import Foundation
import SystemPackage
import Tensors
import TestSupport
import Testing

/// What the tools select, count and leave out, as users see it.
@Suite struct SelectionToolTests {
  private static let base = Fixtures.path("lora/sd1-small/base.ldm.safetensors").string
  private static let adapter = Fixtures.path("lora/sd1-small/kohya.safetensors").string
  private static let trained =
    Fixtures.path("real/fashion-ddpm/trained-lora-r4.safetensors").string
  private static let tiny = Fixtures.path("training/tiny").string

  private static func size(_ path: FilePath) throws -> Int {
    try Data(contentsOf: URL(filePath: path.string)).count
  }

  // MARK: Patterns

  /// A pattern that matches nothing is told by every tool, with what is near.
  @Test func patternsThatMatchNothingAreTold() throws {
    let folder = TemporaryFolder()
    let out = folder.file("o.safetensors").string
    let said = "matches none of"
    let runs: [(ToolRun, String)] = [
      (
        ToolRun(
          "lyco-merge",
          [
            Self.base, Self.adapter, "-o", out, "--exclude_patterns", "attn1", "--family", "sd1",
          ]),
        "'--exclude_patterns': 'attn1' \(said)"
      ),
      (
        ToolRun(
          "lyco-extract",
          [
            Fixtures.path("real/fashion-ddpm/base.safetensors").string,
            Fixtures.path("real/fashion-ddpm/tuned.safetensors").string, "-o", out,
            "--linear_dim", "2", "--conv_dim", "2", "--exclude_patterns", ".*atn1.*",
          ]), "'--exclude_patterns': '.*atn1.*' \(said)"
      ),
      (
        ToolRun("lyco-inspect", [Self.adapter, "--keys", "--pattern", "to_q"]),
        "'--pattern': 'to_q' \(said)"
      ),
      (
        ToolRun(
          "lyco-convert", [Self.adapter, "-o", out, "--block_weights", "down_blcks=0;*=1"]),
        "'--block_weights': 'down_blcks' fits none of"
      ),
      (
        ToolRun(
          "lyco-train",
          [
            "--pretrained_model_name_or_path", Self.tiny, "--train_data_dir", Self.tiny + "/images",
            "--resolution", "64", "--max_train_steps", "1", "--plan", "--output_dir",
            folder.file("t").string, "--network_module", "lycoris.kohya", "--network_args",
            "exclude_patterns=attn1",
          ]), "'--network_args': exclude_patterns: 'attn1' \(said)"
      ),
    ]
    for (run, text) in runs {
      #expect(run.status == 0, "\(run.errors)")
      #expect(run.errors.contains(text), "\(run.errors)")
    }
  }

  @Test func whatTheEngineDoesNotKnowIsAnError() {
    for (tool, arguments) in [
      (
        "lyco-merge",
        [Self.base, Self.adapter, "-o", "/tmp/never", "--exclude_patterns", "(?!a).*"]
      ),
      ("lyco-inspect", [Self.adapter, "--pattern", "(?!a).*"]),
    ] {
      let run = ToolRun(tool, arguments)
      #expect(run.status != 0)
      #expect(run.errors.contains("lookahead '(?!'"), "\(run.errors)")
    }
  }

  // MARK: Block weights

  @Test func blockWeightsOfAnotherModelAreRefused() throws {
    let folder = TemporaryFolder()
    let out = folder.file("o.safetensors").string
    for count in [12, 20, 61] {
      let list = [String](repeating: "1", count: count).joined(separator: ",")
      let runs = [
        ToolRun(
          "lyco-merge", [Self.base, Self.adapter, "-o", out, "--lbws", list, "--family", "sd1"]),
        ToolRun("lyco-convert", [Self.adapter, "-o", out, "--lbws", list, "--family", "sd1"]),
      ]
      for run in runs {
        #expect(run.status != 0)
        #expect(
          run.errors.contains("expected 17 or 26 numbers for Stable Diffusion 1.x, found \(count)"),
          "\(run.errors)")
        #expect(!FileManager.default.fileExists(atPath: out))
      }
    }
  }

  // MARK: Sizes

  /// `--max_size` bounds the file, and whatever has no room is listed.
  @Test func whatHasNoRoomIsListed() throws {
    let folder = TemporaryFolder()
    let out = folder.file("o.safetensors")
    let whole = try Self.size(FilePath(Self.trained))
    let limit = whole / 3
    let run = ToolRun(
      "lyco-convert", [Self.trained, "-o", out.string, "--max_size", "\(limit)", "--json"])
    #expect(run.status == 0, "\(run.errors)")
    #expect(try Self.size(out) <= limit)
    let report = try #require(
      try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
    let leftOut = try #require(report["left_out"] as? [[String: Any]])
    let (read, written) = (report["read"] as? Int ?? 0, report["written"] as? Int ?? 0)
    #expect(!leftOut.isEmpty)
    #expect(leftOut.count == read - written)
    #expect(report["bytes"] as? Int == (try Self.size(out)))
    #expect(leftOut.allSatisfy { $0["reason"] as? String == "no room within --max_size" })
    let text = ToolRun(
      "lyco-convert", [Self.trained, "-o", out.string, "--max_size", "\(limit)"])
    #expect(text.output.contains("\(leftOut.count) left out"))
    #expect(text.errors.contains("left out: lora_"))
    // Blocks at strength 0 are left out too.
    let zero = ToolRun(
      "lyco-convert", [Self.trained, "-o", out.string, "--lbws", "*conv_in*=0", "--json"])
    #expect(zero.output.contains("its strength is 0"))
  }

  @Test func sizesAreThoseOfFiles() throws {
    let folder = TemporaryFolder()
    let merged = folder.file("m.safetensors")
    for (run, path) in [
      (
        ToolRun(
          "lyco-merge", [Self.base, Self.adapter, "-o", merged.string, "--json", "--family", "sd1"]),
        merged
      )
    ] {
      let report = try #require(
        try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
      #expect(report["bytes"] as? Int == (try Self.size(path)))
    }
    let size = try Self.size(Fixtures.path("lora/sd1-small/kohya.safetensors"))
    let inspected = ToolRun("lyco-inspect", [Self.adapter, "--json"])
    #expect(
      inspected.output.contains("\"file_bytes\":\(size)")
        || inspected.output.contains("\"file_bytes\" : \(size)"))
  }

  // MARK: Differences

  /// kohya → diffusers → kohya does the same, whatever became of names and alphas.
  @Test func adaptersAreComparedByWhatTheyDo() throws {
    let folder = TemporaryFolder()
    let (there, back) = (folder.file("d.safetensors").string, folder.file("k.safetensors").string)
    #expect(
      ToolRun("lyco-convert", [Self.adapter, "--to", "diffusers", "-o", there, "--family", "sd1"])
        .status
        == 0)
    #expect(
      ToolRun("lyco-convert", [there, "--to", "kohya", "-o", back, "--family", "sd1"]).status == 0)
    for other in [there, back] {
      let run = ToolRun("lyco-inspect", [Self.adapter, "--diff", other])
      #expect(run.output.contains("compared: scale × ΔW of every module"), "\(run.output)")
      #expect(run.output.contains("equal: all "), "\(run.output)")
    }
    let scaled = folder.file("s.safetensors").string
    #expect(ToolRun("lyco-convert", [Self.adapter, "--ratio", "0.5", "-o", scaled]).status == 0)
    let run = ToolRun("lyco-inspect", [Self.adapter, "--diff", scaled])
    #expect(run.output.contains("relative distance 0.500, cosine 1.000000"), "\(run.output)")
  }

  // MARK: Adapters for another model

  @Test func anAdapterForAnotherModelIsOneLine() throws {
    let folder = TemporaryFolder()
    let out = folder.file("o.safetensors").string
    let base = Fixtures.path("real/fashion-ddpm/base.safetensors").string
    let runs = [
      ToolRun("lyco-merge", [base, Self.adapter, "-o", out]),
      ToolRun("lyco-merge", [base, Self.adapter, "-o", out, "--dry_run", "-q"]),
    ]
    for run in runs {
      #expect(run.status == 1)
      #expect(run.errors.split(separator: "\n").count <= 2, "\(run.errors)")
      #expect(run.errors.contains("adapter modules"), "\(run.errors)")
    }
    let against = ToolRun("lyco-inspect", [Self.adapter, "--against", base])
    #expect(against.status == 2)
    let faults = against.output.split(separator: "\n").filter {
      $0.hasPrefix("  unmatched:") || $0.hasPrefix("  shape:")
    }
    #expect(faults.count == 10)
    #expect(against.output.contains("more; '--limit 0' shows all"))
  }

  /// A text encoder that both models have does not make an adapter one of the base's; and it is no help to copy
  /// what another family is stated of.
  @Test func conversionsNameTheOtherModel() throws {
    let folder = TemporaryFolder()
    var tensors: [String: EncodedTensor] = [:]
    for (name, inputs, outputs) in [
      ("lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k", 2048, 640),
      ("lora_unet_input_blocks_7_1_transformer_blocks_9_attn2_to_k", 2048, 1280),
      ("lora_te1_text_model_encoder_layers_0_mlp_fc1", 768, 3072),
      ("lora_te2_text_model_encoder_layers_0_mlp_fc1", 1280, 5120),
    ] {
      tensors[name + ".lora_down.weight"] = EncodedTensor(Tensor(zeros: [1, inputs]), as: .f32)
      tensors[name + ".lora_up.weight"] = EncodedTensor(Tensor(zeros: [outputs, 1]), as: .f32)
    }
    let adapter = try folder.write("sdxl.safetensors", tensors).string
    let base = try SparseCheckpoint.write("sd1.ldm", in: folder).string
    let out = folder.file("o.safetensors").string
    let other = ToolRun("lyco-convert", [adapter, "--base", base, "--to", "diffusers", "-o", out])
    #expect(other.status == 1)
    #expect(
      other.errors.contains("an adapter for sdxl (Stable Diffusion XL); the base is sd1"),
      "\(other.errors)")
    let stated = ToolRun(
      "lyco-convert", [adapter, "--family", "sd1", "--to", "diffusers", "-o", out])
    #expect(stated.status == 1)
    #expect(stated.errors.contains("recognized as one for sdxl"), "\(stated.errors)")
    #expect(!stated.errors.contains("--lenient"), "\(stated.errors)")
  }

  /// An adapter for other widths: refused before anything is computed.
  @Test(arguments: [
    "boft", "diag-oft", "dora", "glora", "ia3", "kohya", "loha", "lokr", "lycoris", "mixed", "peft",
    "diffusers",
  ])
  func trainingRefusesOtherWidths(name: String) throws {
    let folder = TemporaryFolder()
    let adapter = Fixtures.path("lora/sd1-small/\(name).safetensors").string
    for option in ["--base_weights", "--network_weights"] {
      let run = ToolRun(
        "lyco-train",
        [
          "--pretrained_model_name_or_path", Self.tiny, "--train_data_dir", Self.tiny + "/images",
          "--resolution", "64", "--max_train_steps", "1", "--network_dim", "2", "--quiet",
          "--threads", "1", "--output_dir", folder.file("out").string, "--network_module",
          "lycoris.kohya", option, adapter,
        ])
      #expect(run.status == 1 || run.status == 64, "\(option) \(name): \(run.status)")
      #expect(run.errors.contains(adapter), "\(option) \(name): \(run.errors)")
    }
  }
}
