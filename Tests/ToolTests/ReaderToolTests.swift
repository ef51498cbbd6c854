import Foundation
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// What tools say of programs that load adapters, and what they write for one.
@Suite struct ReaderToolTests {
  private static func tensor(_ shape: Shape, _ seed: UInt64) -> EncodedTensor {
    EncodedTensor(Tensor(random: shape, seed: seed), as: .f32)
  }

  private static func write(
    _ module: String, _ shapes: [String: Shape], to tensors: inout [String: EncodedTensor]
  ) {
    for (suffix, shape) in shapes {
      tensors["\(module).\(suffix)"] = tensor(shape, UInt64(tensors.count + 1))
    }
    tensors["\(module).alpha"] = EncodedTensor(Tensor(scalar: 2), as: .f32)
  }

  private static func convert(_ tensors: [String: EncodedTensor], _ options: String) throws
    -> ToolRun
  {
    let folder = TemporaryFolder()
    try folder.write("a.safetensors", tensors)
    return ToolRun(
      "lyco-convert",
      ["a.safetensors", "-o", "b.safetensors"] + options.split(separator: " ").map(String.init),
      in: folder.path)
  }

  /// PEFT 0.21.2 makes w2 whole where the rank reaches half of its greater extent, and w1 a product only where the
  /// rank is below that and some w1 of the file is one: what it then does not find stays at its beginning.
  @Test(arguments: [
    (w1: false, outer: 4, inner: 8, rank: 3, isRead: true),
    (w1: false, outer: 4, inner: 8, rank: 4, isRead: false),
    (w1: true, outer: 16, inner: 32, rank: 4, isRead: true),
    (w1: true, outer: 8, inner: 32, rank: 4, isRead: false),
  ])
  func peftDividesByRank(
    w1 isDivided: Bool, outer: Int, inner: Int, rank: Int, isRead: Bool
  ) throws {
    var tensors: [String: EncodedTensor] = [:]
    let first: [String: Shape] =
      isDivided
      ? ["lokr_w1_a": [outer, rank], "lokr_w1_b": [rank, outer]] : ["lokr_w1": [outer, outer]]
    Self.write(
      "lora_unet_blocks_0_self_attn_q",
      first.merging(["lokr_w2_a": [inner, rank], "lokr_w2_b": [rank, inner]]) { $1 }, to: &tensors)
    for format in ["peft", "diffusers"] {
      let folder = TemporaryFolder()
      try folder.write("a.safetensors", tensors)
      let output = format == "peft" ? "b" : "b.safetensors"
      let run = ToolRun(
        "lyco-convert",
        ["a.safetensors", "-o", output, "--to", format, "--family", "wan"], in: folder.path)
      #expect(run.status == 0, "\(run.errors)")
      #expect(run.errors.contains("whole, or divided") != isRead, "\(run.errors)")
    }
  }

  /// musubi-tuner gives a whole w2 its kernel, and fails at a product; of LoRA it leaves a core out.
  @Test(
    arguments: [
      (["lokr_w1": [4, 4], "lokr_w2": [16, 4, 1, 2, 2]], ""),
      (["lokr_w1": [4, 4], "lokr_w2_a": [16, 2], "lokr_w2_b": [2, 16]], "divided w2"),
      (
        [
          "lora_up.weight": [64, 4, 1, 1], "lora_mid.weight": [4, 4, 3, 3],
          "lora_down.weight": [4, 16, 1, 1],
        ], "a Tucker core of LoRA (1 module"
      ),
    ] as [([String: Shape], String)])
  func musubiGivesKernelsToWholeFactors(shapes: [String: Shape], warning: String) throws {
    var tensors: [String: EncodedTensor] = [:]
    Self.write("lora_unet_patch_embedding", shapes, to: &tensors)
    let run = try Self.convert(tensors, "--to kohya --reader musubi --family wan")
    #expect(run.status == 0, "\(run.errors)")
    #expect(
      warning.isEmpty ? !run.errors.contains("w2") : run.errors.contains(warning), "\(run.errors)")
  }

  /// A file of two algorithms, a divided w1, a kernel of three extents: none of them does musubi-tuner merge.
  @Test func musubiTakesOneAlgorithm() throws {
    var fused: [String: EncodedTensor] = [:]
    for (name, rows) in [("qkv", 72), ("out", 24)] {
      Self.write(
        "lora_unet_layers_0_attention_\(name)", ["lokr_w1": [4, 4], "lokr_w2": [rows, 24]],
        to: &fused)
    }
    let split = try Self.convert(fused, "--to musubi --family z-image")
    #expect(split.status == 0, "\(split.errors)")
    #expect(split.errors.contains("warning: a second algorithm in one file"), "\(split.errors)")

    var divided: [String: EncodedTensor] = [:]
    Self.write(
      "lora_unet_blocks_0_self_attn_q",
      ["lokr_w1_a": [8, 2], "lokr_w1_b": [2, 8], "lokr_w2_a": [8, 2], "lokr_w2_b": [2, 8]],
      to: &divided)
    let outer = try Self.convert(divided, "--to musubi --family wan")
    #expect(outer.errors.contains("divided w1"), "\(outer.errors)")

    var kernel: [String: EncodedTensor] = [:]
    Self.write(
      "lora_unet_patch_embedding",
      ["lora_up.weight": [64, 4, 1, 1, 1], "lora_down.weight": [4, 16, 1, 2, 2]], to: &kernel)
    Self.write(
      "lora_unet_blocks_0_self_attn_q", ["lora_up.weight": [64, 4], "lora_down.weight": [4, 64]],
      to: &kernel)
    let convolution = try Self.convert(kernel, "--to musubi --family wan")
    #expect(convolution.errors.contains("kernel of one or three extents"), "\(convolution.errors)")
  }

  /// A program by any of its names; names of modules are then its own.
  @Test(arguments: [
    ("ComfyUI", "diffusion_model.double_blocks.0.img_attn.proj.lora_A.weight"),
    ("comfy", "diffusion_model.double_blocks.0.img_attn.proj.lora_A.weight"),
    ("WebUI-Forge", "lora_unet_double_blocks_0_img_attn_proj.lora_down.weight"),
    ("sdcpp", "diffusion_model.double_blocks.0.img_attn.proj.lora_A.weight"),
    ("invoke", "lora_unet_double_blocks_0_img_attn_proj.lora_down.weight"),
    ("musubi-tuner", "lora_unet_double_blocks_0_img_attn_proj.lora_down.weight"),
    ("hf", "transformer.transformer_blocks.0.attn.to_out.0.lora_A.weight"),
  ])
  func namesAreThoseOfTheReader(reader: String, key: String) throws {
    let folder = TemporaryFolder()
    var tensors: [String: EncodedTensor] = [:]
    Self.write(
      "transformer.transformer_blocks.0.attn.to_out.0",
      ["lora_B.weight": [24, 2], "lora_A.weight": [2, 24]], to: &tensors)
    try folder.write("a.safetensors", tensors)
    let run = ToolRun(
      "lyco-convert",
      ["a.safetensors", "-o", "b.safetensors", "--family", "flux", "--reader", reader],
      in: folder.path)
    #expect(run.status == 0, "\(run.errors)")
    #expect(run.errors == "")
    #expect(try TensorFile(opening: folder.file("b.safetensors")).tensors[key] != nil)
  }

  /// What the user says of names wins, with a warning.
  @Test func statedNamesWin() throws {
    var tensors: [String: EncodedTensor] = [:]
    Self.write(
      "lora_te1_text_model_encoder_layers_0_mlp_fc1",
      ["lora_up.weight": [24, 2], "lora_down.weight": [2, 24]],
      to: &tensors)
    Self.write(
      "lora_unet_double_blocks_0_img_attn_proj",
      ["lora_up.weight": [24, 2], "lora_down.weight": [2, 24]],
      to: &tensors)
    let clip = try Self.convert(tensors, "--family flux --reader sd.cpp --to diffusers")
    #expect(clip.status == 0)
    #expect(clip.errors.contains("a text encoder in diffusers' names"), "\(clip.errors)")
    let whole = try Self.convert(tensors, "--family flux --reader sd.cpp")
    #expect(whole.errors == "", "\(whole.errors)")
    let other = try Self.convert(tensors, "--family flux --reader musubi --to diffusers")
    #expect(other.errors.contains("add '--to musubi'"), "\(other.errors)")
  }

  /// A program that is named with a checkpoint is a wrong command, whichever tool is asked.
  @Test func checkpointsHaveNoReaders() throws {
    let folder = TemporaryFolder()
    try folder.write(
      "model.safetensors", ["double_blocks.0.img_attn.proj.weight": Self.tensor([24, 24], 1)])
    for (tool, options) in [
      ("lyco-inspect", [String]()), ("lyco-convert", ["-o", "b.safetensors"]),
    ] {
      let run = ToolRun(
        tool, ["model.safetensors", "--reader", "comfyui"] + options, in: folder.path)
      #expect(run.status == 64, "\(tool): \(run.errors)")
      #expect(
        run.errors.contains("--reader") && run.errors.contains("expected an adapter"),
        "\(run.errors)")
    }
  }

  /// Names that fit several models: said by one tool, and no names are made up by the other.
  @Test func ambiguousNamesAreNotGuessed() throws {
    let folder = TemporaryFolder()
    var tensors: [String: EncodedTensor] = [:]
    for block in 0..<2 {
      Self.write(
        "transformer.transformer_blocks.\(block).attn.to_q",
        ["lora_B.weight": [3072, 1], "lora_A.weight": [1, 3072]], to: &tensors)
    }
    try folder.write("a.safetensors", tensors)
    func run(_ tool: String, _ options: String) -> ToolRun {
      ToolRun(
        tool, ["a.safetensors"] + options.split(separator: " ").map(String.init), in: folder.path)
    }
    let inspected = run("lyco-inspect", "")
    #expect(inspected.status == 0)
    #expect(
      inspected.output.contains("flux (Flux.1), chroma (Chroma), flux2 (Flux.2)"),
      "\(inspected.output)")
    let refused = run("lyco-convert", "--to kohya -o b.safetensors")
    #expect(refused.status == 1)
    for word in ["flux", "qwen-image", "--family"] { #expect(refused.errors.contains(word)) }
    #expect(run("lyco-convert", "--to kohya -o q.safetensors --family qwen-image").status == 0)
    // They are called the same in both.
    #expect(run("lyco-convert", "--to diffusers -o d.safetensors").status == 0)
  }

  @Test func unknownReadersNameTheNearest() throws {
    let run = ToolRun("lyco-inspect", ["a.safetensors", "--reader", "comfyuii"])
    #expect(run.status == 64)
    #expect(run.errors.contains("did you mean 'comfyui'?"), "\(run.errors)")
  }

  private static let keys = [
    "double_blocks.0.img_attn.proj.weight", "double_blocks.0.img_mlp.0.weight",
    "single_blocks.0.linear2.weight",
  ]

  private static func extract(
    _ options: [String], in folder: borrowing TemporaryFolder
  ) throws -> ToolRun {
    for (file, seed) in [("base", UInt64(1)), ("tuned", 2)] {
      try folder.write(
        "\(file).safetensors",
        Dictionary(uniqueKeysWithValues: keys.map { ($0, tensor([32, 24], seed)) }))
    }
    return ToolRun(
      "lyco-extract",
      ["base.safetensors", "tuned.safetensors", "-o", "a.safetensors", "--family", "flux"]
        + options,
      in: folder.path)
  }

  /// Before anything is written, of what is asked for: by the program that is named, or by those that share the
  /// names what they read as other numbers.
  @Test(arguments: [
    ("--algo ia3 --reader comfyui", "ia3"),
    ("--algo diag-oft --rescaled --reader comfyui", "rescale"),
    ("--dora_wd --wd_on_output true", "DoRA by outputs"),
    ("--use_sparse_bias --reader comfyui", "sparse"),
    ("--algo diag-oft --reader forge", "diag-oft"), ("--algo glora --reader invoke", "glora"),
    ("--algo diag-oft --reader a1111", "Flux"),
  ])
  func extractionWarns(options: String, word: String) throws {
    let folder = TemporaryFolder()
    let run = try Self.extract(
      options.split(separator: " ").map(String.init) + ["--dry_run"], in: folder)
    #expect(run.status == 0, "\(run.errors)")
    #expect(run.errors.lowercased().contains(word.lowercased()), "\(run.errors)")
  }

  /// DoRA's magnitudes are those that the program reads, a plain LoRA is read by all.
  @Test(arguments: [("comfyui", [1, 24]), ("peft", [32, 1]), ("a1111", [1, 24])])
  func extractionSuitsTheReader(reader: String, magnitudes: [Int]) throws {
    let folder = TemporaryFolder()
    let run = try Self.extract(
      ["--dora_wd", "--linear_dim", "4", "--reader", reader], in: folder)
    #expect(run.status == 0, "\(run.errors)")
    let file = try TensorFile(opening: folder.file("a.safetensors"))
    let found = file.tensors.first { $0.key.hasSuffix("dora_scale") }
    #expect(found?.value.shape == Shape(magnitudes))
  }

  /// Layers for which InvokeAI takes nothing of the file are left out for its sake alone, and named.
  @Test func extractionLeavesOutWhatIsRefused() throws {
    for (reader, count) in [("invokeai", 3), ("forge", 4)] {
      let folder = TemporaryFolder()
      for (file, seed) in [("base", UInt64(1)), ("tuned", 2)] {
        try folder.write(
          "\(file).safetensors",
          Dictionary(
            uniqueKeysWithValues: (Self.keys + ["img_in.weight"]).map {
              ($0, Self.tensor([32, 24], seed))
            }))
      }
      let run = ToolRun(
        "lyco-extract",
        [
          "base.safetensors", "tuned.safetensors", "-o", "a.safetensors", "--family", "flux",
          "--reader", reader,
          "--linear_dim", "4",
        ], in: folder.path)
      #expect(run.status == 0 && run.errors == "", "\(run.errors)")
      #expect(
        run.output.contains("never loaded by the program that --reader names") == (count == 3))
      let modules = Set(
        try TensorFile(opening: folder.file("a.safetensors")).tensors.keys.map {
          $0.prefix { $0 != "." }
        })
      #expect(modules.count == count, "\(modules)")
    }
  }

  /// By kind of module, for people and programs.
  @Test func inspectionSaysWhatIsRead() throws {
    let folder = TemporaryFolder()
    var tensors: [String: EncodedTensor] = [:]
    Self.write(
      "diffusion_model.double_blocks.0.img_attn.proj",
      ["lora_B.weight": [24, 2], "lora_A.weight": [2, 24]],
      to: &tensors)
    Self.write(
      "diffusion_model.double_blocks.1.img_attn.proj",
      ["lora_B.weight": [24, 2], "lora_A.weight": [2, 24], "dora_scale": [24, 1]], to: &tensors)
    tensors["diffusion_model.double_blocks.2.img_attn.proj.weight"] = Self.tensor([24], 50)
    tensors["diffusion_model.double_blocks.2.img_attn.proj.on_input"] = EncodedTensor(
      Tensor(scalar: 0), as: .i64)
    try folder.write("a.safetensors", tensors)
    let text = ToolRun("lyco-inspect", ["a.safetensors", "--reader", "comfy"], in: folder.path)
    #expect(text.status == 0, "\(text.errors)")
    for word in ["ComfyUI", "whole", "wrong", "DoRA by outputs", "ia3", "lyco-convert"] {
      #expect(text.output.contains(word), "\(text.output)")
    }
    let run = ToolRun(
      "lyco-inspect", ["a.safetensors", "--reader", "comfy", "--json"], in: folder.path)
    let root = try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any]
    let reading = try #require(root?["reading"] as? [String: Any])
    #expect(reading["reader"] as? String == "comfyui")
    let kinds = try #require(reading["kinds"] as? [[String: Any]])
    let verdicts = Dictionary(
      uniqueKeysWithValues: kinds.map {
        ($0["algorithm"] as? String ?? "", $0["verdict"] as? String ?? "")
      })
    #expect(verdicts == ["lora": "whole", "lora + dora": "wrong", "ia3": "not"])
    let findings = try #require(reading["findings"] as? [[String: Any]])
    #expect(findings.count == 2)
  }
}
