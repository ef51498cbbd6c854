import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// lyco-convert over whole folders, and its way with checkpoints.
@Suite struct ConvertFolderTests {
  private func fill(_ folder: borrowing TemporaryFolder) throws {
    let factors = { (seed: UInt64) in
      ["lora_unet_a.diff": EncodedTensor(Tensor(random: [4, 3], seed: seed), as: .f32)]
    }
    try folder.write("in/a.safetensors", factors(1))
    try folder.write("in/b.safetensors", factors(2))
    try folder.write("in/sub/c.safetensors", factors(3))
    try folder.write(
      "in/model.safetensors.zst",
      ["m.weight": EncodedTensor(Tensor(random: [4, 3], seed: 4), as: .f32)])
    try folder.write("in/notes.txt", text: "no tensors")
  }

  @Test func convertsEveryFile() throws {
    let folder = TemporaryFolder()
    try fill(folder)
    let run = ToolRun(
      "lyco-convert", ["in", "--output_dir", "out", "--save_precision", "bf16", "--recursive"],
      in: folder.path)
    #expect(run.status == 0, "\(run.errors)")
    #expect(run.errors == "")
    #expect(run.output.hasSuffix("4 inputs: 4 converted, 0 skipped, 0 failed\n"))
    #expect(
      directoryEntries(folder.file("out")) == [
        "a.safetensors", "b.safetensors", "model.safetensors.zst", "sub",
      ])
    for name in ["a.safetensors", "sub/c.safetensors", "model.safetensors.zst"] {
      let (before, after) = (
        try TensorFile(opening: folder.file("in/" + name)),
        try TensorFile(opening: folder.file("out/" + name))
      )
      for (key, view) in before.tensors {
        #expect(after.tensors[key]!.stored == EncodedTensor(view.tensor(), as: .bf16))
      }
    }
  }

  /// A folder of PEFT is one input, and one output.
  @Test func takesFoldersForWhatTheyAre() throws {
    let folder = TemporaryFolder()
    let factors = [
      "base_model.model.m.lora_A.weight": EncodedTensor(Tensor(random: [2, 3], seed: 1), as: .f32),
      "base_model.model.m.lora_B.weight": EncodedTensor(Tensor(random: [4, 2], seed: 2), as: .f32),
    ]
    try folder.write("in/p/adapter_model.safetensors", factors)
    try folder.write(
      "in/p/adapter_config.json",
      text: #"{"peft_type": "LORA", "r": 2, "lora_alpha": 3, "target_modules": ["m"]}"#)
    let run = ToolRun(
      "lyco-convert", ["in", "--output_dir", "out", "--save_precision", "fp16"], in: folder.path)
    #expect(run.status == 0, "\(run.errors)")
    #expect(
      directoryEntries(folder.file("out/p")) == [
        "adapter_config.json", "adapter_model.safetensors",
      ])
  }

  /// A bad file costs a line and the status, nothing else.
  @Test func goesOnPastABadFile() throws {
    let folder = TemporaryFolder()
    try fill(folder)
    try folder.write("in/aa.safetensors", text: "broken")
    let run = ToolRun("lyco-convert", ["in", "--output-dir", "out"], in: folder.path)
    #expect(run.status == 1)
    #expect(run.errors.split(separator: "\n").count == 1)
    #expect(run.errors.hasPrefix("failed: in/aa.safetensors: "))
    #expect(run.output.hasSuffix("4 inputs: 3 converted, 0 skipped, 1 failed\n"))
    // What is there is passed over, unless it is to be replaced.
    try folder.write("out/a.safetensors", text: "the old file")
    let again = ToolRun(
      "lyco-convert", ["in/a.safetensors", "in/b.safetensors", "--output_dir", "out"],
      in: folder.path)
    #expect(again.status == 0)
    #expect(again.output == "2 inputs: 0 converted, 2 skipped, 0 failed\n")
    #expect(try contents(of: folder.file("out/a.safetensors")) == Array("the old file".utf8))
    let replaced = ToolRun(
      "lyco-convert", ["in/a.safetensors", "--output_dir", "out", "--overwrite", "-q"],
      in: folder.path)
    #expect(replaced.status == 0 && replaced.output == "" && replaced.errors == "")
    #expect(
      try TensorFile(opening: folder.file("out/a.safetensors")).contents
        == TensorFile(opening: folder.file("in/a.safetensors")).contents)
  }

  /// Inputs are never written to: a folder onto itself finds every output there already.
  @Test func leavesInputsAlone() throws {
    let folder = TemporaryFolder()
    try fill(folder)
    let before = try contents(of: folder.file("in/a.safetensors"))
    let run = ToolRun(
      "lyco-convert", ["in", "--output_dir", "in", "--save_precision", "bf16"], in: folder.path)
    #expect(run.status == 0)
    #expect(run.output.hasSuffix("0 converted, 3 skipped, 0 failed\n"))
    #expect(try contents(of: folder.file("in/a.safetensors")) == before)
  }

  static let wrongUsage: [(arguments: [String], text: String)] = [
    (["in"], "expected one of '-o'"), (["in", "-o", "x", "--output_dir", "y"], "found both"),
    (["in/a.safetensors", "-o", "x", "--recursive"], "'--recursive': expected '--output_dir'"),
    (["in/sub", "--output_dir", "out", "--set_meta", "x"], "'--set_meta': expected key=value"),
    (["in/a.safetensors", "-o", "x", "--prune", "all"], "expected ema, optimizer or non-model"),
    (["in/a.safetensors", "-o", "x", "--pattern_ratio", "x=y"], "expected a pattern and numbers"),
    (["in/a.safetensors", "-o", "x", "--prune", "ema"], "'--prune': expected a checkpoint"),
    (["in/model.safetensors.zst", "-o", "x", "--to", "kohya"], "'--to': expected an adapter"),
    (["in/model.safetensors.zst", "in/a.safetensors", "-o", "x"], "lyco-merge"),
    (["in/a.safetensors", "-o", "x", "--save_precision", "fp8_scaled"], "expected a checkpoint"),
    (["in/a.safetensors", "-o", "x", "--unbundle", "y"], "expected tensors 'bundle_emb.…'"),
    (["in/a.safetensors", "-o", "x", "--bundle_add", "in/b.safetensors"], "expected an embedding"),
  ]

  /// One line that says what is wrong; nothing is written.
  @Test(arguments: wrongUsage)
  func saysWhatIsWrong(arguments: [String], text: String) throws {
    let folder = TemporaryFolder()
    try fill(folder)
    let run = ToolRun("lyco-convert", arguments, in: folder.path)
    #expect(run.status == 1 || run.status == 64)
    #expect(run.errors.contains(text), "\(run.errors)")
    #expect(run.errors.split(separator: "\n")[0].hasPrefix("Error: "), "\(run.errors)")
    #expect(folder.entries == ["in"])
  }

  /// kohya's `merge_models.py` with its own flags.
  @Test func takesTheFlagsOfMergeModels() throws {
    let folder = TemporaryFolder()
    let models = ["a", "b"].map { Fixtures.path("conversion/\($0).safetensors").string }
    let run = ToolRun(
      "lyco-convert",
      ["--models"] + models
        + [
          "--ratios", "0.6", "0.4", "--saving_precision", "float", "--precision", "float",
          "--device", "cpu", "--output", "out.safetensors",
        ], in: folder.path)
    #expect(run.status == 0, "\(run.errors)")
    let ours = ToolRun(
      "lyco-convert",
      models + ["--ratio", "0.4", "--save_precision", "fp32", "-o", "b.safetensors"],
      in: folder.path)
    #expect(ours.status == 0, "\(ours.errors)")
    let (found, other) = (
      try TensorFile(opening: folder.file("out.safetensors")),
      try TensorFile(opening: folder.file("b.safetensors"))
    )
    #expect(found.tensors["blocks.0.attn.weight"]!.dtype == .f32)
    for (key, view) in other.tensors {
      expectClose(found.tensors[key]!.tensor(), view.tensor(), tolerance: 1e-6, "\(key)")
    }
  }

  /// What is lost is said.
  @Test func warnsOfOverflow() throws {
    let folder = TemporaryFolder()
    try folder.write(
      "in.safetensors",
      ["m.weight": EncodedTensor(Tensor([3], [1e6, .nan, 1e-9]), as: .f32)])
    let run = ToolRun(
      "lyco-convert", ["in.safetensors", "-o", "out.safetensors", "--save_precision", "fp16"],
      in: folder.path)
    #expect(run.status == 0)
    #expect(run.errors.contains("warning: the input has 1 NaN and 0 infinite numbers\n"))
    #expect(
      run.errors.contains("warning: 1 numbers are too large for the format and became infinite"))
    #expect(run.output.contains("1 became zero"))
  }
}
