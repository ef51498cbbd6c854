import Foundation
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// How tools fail: status, one line, nothing written.
@Suite struct FailureTests {
  static let base = Fixtures.path("lora/sd1-small/base").string
  static let adapter = Fixtures.path("lora/sd1-small/kohya.safetensors").string
  static let real = Fixtures.path("real/waifu2x-cunet/base.safetensors").string
  static let broken = directoryEntries(Fixtures.path("broken"))

  /// As a checkpoint to compare with and as a base. How fast: `scripts/fuzz/time-failures.sh`.
  @Test(arguments: broken)
  func brokenFilesEndInOneLine(name: String) {
    let path = Fixtures.path("broken/\(name)").string
    let commands = [
      ("lyco-extract", [Self.real, path]), ("lyco-merge", [path, Self.adapter]),
    ]
    for (tool, inputs) in commands {
      let folder = TemporaryFolder()
      let run = ToolRun(tool, inputs + ["-o", "out.safetensors"], in: folder.path)
      #expect(run.status == 1, "\(tool) \(inputs)")
      #expect(run.output == "")
      #expect(run.errors.hasPrefix("Error: "), "\(run.errors)")
      #expect(run.errors.split(separator: "\n").count == 1, "\(run.errors)")
      #expect(run.errors.hasSuffix("\n"))
      #expect(run.errors.contains(path), "\(run.errors) does not name \(path)")
      #expect(folder.entries == [])
    }
  }

  struct Usage: Sendable, CustomTestStringConvertible {
    let tool: String
    let arguments: [String]
    let message: String
    var testDescription: String { "\(tool) \(arguments.joined(separator: " "))" }
  }

  private static let training = [
    "--pretrained_model_name_or_path", Fixtures.path("training/tiny").string, "--train_data_dir",
    Fixtures.path("training/tiny/images").string, "--resolution", "64", "--plan",
    "--network_module",
    "lycoris.kohya",
  ]

  static let usages = [
    Usage(tool: "lyco-extract", arguments: [], message: "Missing expected argument"),
    Usage(tool: "lyco-extract", arguments: ["a", "b"], message: "-o"),
    Usage(
      tool: "lyco-extract", arguments: ["a", "b", "-o", "c", "--mode", "best"],
      message:
        "'--mode': expected fixed, threshold, ratio, quantile, full, error or size, found 'best'"),
    Usage(
      tool: "lyco-extract", arguments: ["a", "b", "-o", "c", "--linear_dim", "0"],
      message: "'--linear_dim': expected a rank of at least 1, found 0"),
    Usage(
      tool: "lyco-extract", arguments: ["a", "b", "-o", "c", "--linear-ratio", "-0.5"],
      message: "'--linear_ratio': expected a number from 0 to 1, found -0.5"),
    Usage(
      tool: "lyco-extract", arguments: ["a", "b", "-o", "c", "--mode", "size"],
      message: "'--mode size' needs '--max_size', such as '--max_size 64MiB'"),
    Usage(
      tool: "lyco-extract",
      arguments: ["a", "b", "-o", "c", "--mode", "fixed", "--max_size", "1MB"],
      message: "'--max_size' is only valid with '--mode size'"),
    Usage(
      tool: "lyco-extract",
      arguments: ["a", "b", "-o", "c", "--mode", "error", "--max_error", "2"],
      message: "'--max_error': expected a number between 0 and 1, found 2.0"),
    Usage(
      tool: "lyco-extract", arguments: ["a", "b", "-o", "c", "--save_precision", "fp8_e4m3"],
      message: "'--save_precision': expected fp16, bf16 or fp32 for an adapter"),
    Usage(
      tool: "lyco-extract", arguments: ["a", "b", "-o", "c", "--family", "sd9"],
      message: "'--family': expected auto, "),
    Usage(
      tool: "lyco-extract",
      arguments: ["a", "b", "-o", "c", "--mode", "size", "--max_size", "1MB", "--use_sparse_bias"],
      message: "'--use_sparse_bias' is not valid with '--mode size'"),
    Usage(
      tool: "lyco-extract", arguments: ["a", "b", "-o", "c", "--algo", "lokrr"],
      message: "found 'lokrr'; did you mean 'lokr'?"),
    Usage(
      tool: "lyco-extract", arguments: ["a", "b", "-o", "c", "--algo", "auto"],
      message: "'--algo auto' needs '--max_error' or '--max_size'"),
    Usage(
      tool: "lyco-extract", arguments: ["a", "b", "-o", "c", "--algo", "lokr", "--factor", "0"],
      message: "'--factor': expected a positive number, -1 or auto, found '0'"),
    Usage(
      tool: "lyco-extract", arguments: ["a", "b", "-o", "c", "--algo", "ia3", "--dora_wd"],
      message: "'--dora_wd' is not valid with '--algo ia3'"),
    Usage(
      tool: "lyco-extract",
      arguments: ["a", "b", "-o", "c", "--dora_wd", "--wd_on_output", "maybe"],
      message: "'--wd_on_output': expected true or false, found 'maybe'"),
    Usage(
      tool: "lyco-extract",
      arguments: ["a", "b", "-o", "c", "--algo", "full", "--mode", "error"],
      message: "'--algo full' has no rank and takes no other '--mode'"),
    Usage(
      tool: "lyco-extract", arguments: ["a", "b", "-o", "c", "--threads", "0"],
      message: "'--threads': expected 1 to 1024, found 0"),
    Usage(
      tool: "lyco-extract", arguments: ["a", "b", "-o", "c", "--no-such-option"],
      message: "--no_such_option"),
    Usage(
      tool: "lyco-extract", arguments: ["a", "b", "-o", "c", "--preset", "none.toml"],
      message: "ia3, found no such file"),
    Usage(
      tool: "lyco-extract", arguments: ["a", "b", "-o", ""],
      message: "'-o': expected a value, found none"),
    Usage(
      tool: "lyco-convert", arguments: ["a", "--output_dir", ""],
      message: "'--output_dir': expected a value, found none"),
    Usage(
      tool: "lyco-convert", arguments: ["a", "-o", "c", "--dim", "2", "--report", ""],
      message: "'--report': expected a value, found none"),
    Usage(
      tool: "lyco-convert", arguments: ["", "-o", "c"],
      message: "expected the name of a file, found an empty argument"),
    Usage(
      tool: "lyco-convert", arguments: ["a", "-o", "c", "--prune", "EMA,optimiser"],
      message:
        "Error: '--prune': expected ema, optimizer or non-model, found 'optimiser'; did you mean 'optimizer'?"
    ),
    Usage(
      tool: "lyco-merge", arguments: ["a", "b", "-o", "c", "--tlora_sig", "random"],
      message: "'--tlora_sig': expected principal, found 'random': other singular vectors"),
    Usage(
      tool: "lyco-merge", arguments: ["a", "b", "-o", "c", "--lbw", "MIDDLE"],
      message: "or one of ALL, ALL0.5, INALL"),
    Usage(
      tool: "lyco-train",
      arguments: Self.training + ["--network_args", "algo=dora"],
      message: "'dora_wd=True' makes DoRA"),
    Usage(
      tool: "lyco-train",
      arguments: Self.training + ["--network_args", "algo=lokrr"],
      message: "found 'lokrr'; did you mean 'lokr'?"),
    Usage(tool: "lyco-merge", arguments: ["a", "-o", "c"], message: "adapter"),
    Usage(
      tool: "lyco-merge", arguments: ["a", "b", "-o", "c", "--ratio", "1", "2"],
      message: "'--ratio': expected one value, or one for each of 1 adapters, found 2"),
    Usage(
      tool: "lyco-merge", arguments: ["a", "b", "-o", "c", "--ratio", "nan"],
      message: "'--ratio': expected a finite number, found nan"),
    Usage(
      tool: "lyco-merge", arguments: ["a", "b", "-o", "c", "--shard_size", "0"],
      message: "expected a size such as 64MiB, 150MB or 5GB"),
  ]

  /// What users type into a shell: a unit behind a space, names in capitals, zeros for what is off.
  @Test func valuesAreReadAsTheyAreTyped() throws {
    let folder = TemporaryFolder()
    let out = folder.file("o.safetensors").string
    let sized = ToolRun("lyco-convert", [Self.adapter, "-o", out, "--max_size", "1", "MiB"])
    #expect(sized.status == 0, "\(sized.errors)")
    let pruned = ToolRun(
      "lyco-convert",
      [Self.base, "-o", folder.file("b").string, "--prune", "EMA", "Optimizer", "--dry_run"])
    #expect(pruned.status == 0, "\(pruned.errors)")
    let asserted = ToolRun(
      "lyco-merge", [Self.base, Self.adapter, "--dry_run", "--tlora_sig", "Principal"])
    #expect(asserted.status == 0, "\(asserted.errors)")
    #expect(asserted.errors.contains("'--tlora_sig principal' has no effect"), "\(asserted.errors)")
    let baked = ToolRun(
      "lyco-convert", [Self.adapter, "-o", out, "--overwrite", "--bake_dora", "--base", Self.base])
    #expect(baked.status == 0, "\(baked.errors)")
    #expect(baked.errors.contains("'--bake_dora' has no effect"), "\(baked.errors)")
    let steps = ToolRun("lyco-train", Self.training + ["--max_train_steps", "0"])
    #expect(steps.status == 0, "\(steps.errors)")
    #expect(steps.errors.contains("'--max_train_steps 0' is as if not given"), "\(steps.errors)")
  }

  /// A file that is not there is no wrong usage, whatever option names it.
  @Test(arguments: ["--config_file", "--dataset_config"])
  func missingFilesAre1(option: String) {
    let run = ToolRun("lyco-train", Self.training + [option, "/no/such/file.toml"])
    #expect(run.status == 1)
    #expect(
      run.errors.hasSuffix(
        "Error: /no/such/file.toml: cannot be read: No such file or directory\n"),
      "\(run.errors)")
  }

  @Test(arguments: usages)
  func wrongUsageIs64(usage: Usage) {
    let run = ToolRun(usage.tool, usage.arguments)
    #expect(run.status == 64)
    #expect(run.output == "")
    #expect(run.errors.contains(usage.message), "\(run.errors)")
  }

  @Test func unmatchedModulesFailUnlessLenient() throws {
    let folder = TemporaryFolder()
    let up = EncodedTensor(Tensor(random: [4, 2], seed: 1), as: .f32)
    try folder.write(
      "a.safetensors",
      [
        "lora_unet_conv_in.diff_b": EncodedTensor(Tensor([4], [1, 2, 3, 4]), as: .f32),
        "lora_unet_nowhere.lora_up.weight": up, "lora_unet_nowhere.lora_down.weight": up,
      ])
    let arguments = [Self.base, "a.safetensors", "-o", "merged", "--family", "sd1"]
    let strict = ToolRun("lyco-merge", arguments, in: folder.path)
    #expect(strict.status == 1)
    #expect(
      strict.errors.contains(
        "a.safetensors: 1 of 2 adapter modules have no place in the base: 'lora_unet_nowhere' "
          + "(no such layer in a sd1 base)"), "\(strict.errors)")
    #expect(folder.entries == ["a.safetensors"])
    let lenient = ToolRun("lyco-merge", arguments + ["--lenient"], in: folder.path)
    #expect(lenient.status == 0)
    #expect(lenient.output.contains("1 unmatched"))
    #expect(folder.entries == ["a.safetensors", "merged"])
  }

  @Test func singularVectorsMustBeVouchedFor() throws {
    let folder = TemporaryFolder()
    let golden = try GoldenCase("tlora/tlora-linear")
    try folder.write("base.safetensors", ["m.weight": golden.base.stored])
    try folder.write(
      "a.safetensors",
      Dictionary(uniqueKeysWithValues: golden.factors.map { ("m.\($0)", $1.stored) }))
    let arguments = ["base.safetensors", "a.safetensors", "-o", "m.safetensors"]
    let refused = ToolRun("lyco-merge", arguments, in: folder.path)
    #expect(refused.status == 1)
    #expect(refused.errors.contains("say '--tlora_sig principal'"))
    let other = ToolRun("lyco-merge", arguments + ["--tlora_sig", "middle"], in: folder.path)
    #expect(other.status == 64)
    #expect(other.errors.contains("'--tlora_sig': expected principal, found 'middle'"))
    #expect(folder.entries == ["a.safetensors", "base.safetensors"])
    let done = ToolRun("lyco-merge", arguments + ["--tlora-sig", "principal"], in: folder.path)
    #expect(done.status == 0, "\(done.errors)")
    let merged = try TensorFile(opening: folder.file("m.safetensors"))
    // f32 against float64, a singular value decomposition included.
    expectClose(
      merged.tensors["m.weight"]!.tensor(), golden.merged("1").decoded(), tolerance: 1e-5)
  }

  @Test func refusesAnAdapterAsBase() {
    let folder = TemporaryFolder()
    for tool in ["lyco-merge", "lyco-extract"] {
      let run = ToolRun(
        tool, [Self.adapter, Self.adapter, "-o", "out.safetensors"], in: folder.path)
      #expect(run.status == 1)
      #expect(
        run.errors == "Error: \(Self.adapter): expected a checkpoint, found an adapter of 402 "
          + "modules; 'lyco-merge BASE ADAPTER' puts adapters into a checkpoint, and lyco-train goes on from "
          + "one with '--network_weights'\n")
    }
    #expect(folder.entries == [])
  }

  static let outputs = [
    "file/out.safetensors", "taken", "/proc/lyco/out.safetensors", "out.ckpt", "out.PT", "out.bin",
    "out.pth", "/dev/null", "/dev/zero",
  ]

  /// Inputs that are not there would be missed first if they were looked at before.
  @Test(arguments: ["lyco-extract", "lyco-merge", "lyco-convert"], outputs)
  func seesBeforeTheWorkWhereItCannotWrite(tool: String, output: String) throws {
    let folder = TemporaryFolder()
    try folder.write("file", text: "x")
    try folder.write("taken/inside", text: "x")
    var inputs = ["no-base.safetensors", "no-other.safetensors"]
    if tool == "lyco-convert" {
      // An existing folder is a place for this tool.
      guard output != "taken" else { return }
      inputs.removeLast()
    }
    let run = ToolRun(tool, inputs + ["-o", output], in: folder.path)
    #expect(run.status == 1)
    #expect(run.errors.hasPrefix("Error: "), "\(run.errors)")
    #expect(run.errors.contains(output.split(separator: "/")[0]), "\(run.errors)")
    #expect(!run.errors.contains("no-base"), "\(run.errors)")
    #expect(run.errors.split(separator: "\n").count == 1, "\(run.errors)")
    #expect(run.output == "")
    #expect(folder.entries == ["file", "taken"])
    #expect(directoryEntries(folder.file("taken")) == ["inside"])
  }

  @Test func missingFilesAreNamed() {
    let run = ToolRun("lyco-merge", ["/no/such.safetensors", Self.adapter, "-o", "o.safetensors"])
    #expect(run.status == 1)
    #expect(run.errors.hasPrefix("Error: /no/such.safetensors: "), "\(run.errors)")
  }
}
