import Checkpoints
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// lyco-convert as users run it: resize, combine, average, cut.
@Suite struct ConvertTests {
  private static func lora(_ seed: UInt64, rank: Int) -> [String: EncodedTensor] {
    var tensors: [String: EncodedTensor] = [:]
    for name in ["lora_unet_double_blocks_0_img_mlp_0", "lora_unet_single_blocks_0_linear2"] {
      tensors["\(name).lora_up.weight"] = EncodedTensor(
        Tensor(random: [24, rank], seed: seed), as: .f16)
      tensors["\(name).lora_down.weight"] = EncodedTensor(
        Tensor(random: [rank, 20], seed: seed + 1), as: .f16)
      tensors["\(name).alpha"] = EncodedTensor(Tensor(scalar: 4), as: .f16)
    }
    return tensors
  }

  private static func shapes(_ path: FilePath) throws -> [String: Shape] {
    try TensorFile(opening: path).contents.mapValues(\.shape)
  }

  private static let up = "lora_unet_double_blocks_0_img_mlp_0.lora_up.weight"

  /// The command of kohya's resize_lora.py.
  @Test func resizes() throws {
    let folder = TemporaryFolder()
    try folder.write("a.safetensors", Self.lora(1, rank: 8))
    let run = ToolRun(
      "lyco-convert",
      [
        "--model", "a.safetensors", "--save_to", "b.safetensors", "--new_rank", "4", "--device",
        "cuda",
        "--verbose", "--dynamic_method", "sv_ratio", "--dynamic_param", "1000",
      ], in: folder.path)
    #expect(run.status == 0, "\(run.errors)")
    #expect(run.output.contains("8 → 4"))
    #expect(run.output.contains("rank 4"))
    #expect(try Self.shapes(folder.file("b.safetensors"))[Self.up] == [24, 4])
    let report = ToolRun(
      "lyco-convert", ["a.safetensors", "--dim", "2", "--json", "-o", "c.safetensors"],
      in: folder.path)
    #expect(report.output.contains(#""relative_error""#))
    #expect(report.output.contains(#""rank_before" : 8"#))
  }

  /// Without `--to`, what is computed anew is spelled as the file spells it, and PEFT's names alone make
  /// no folder of an output that is named as a file.
  @Test func keepsSpelling() throws {
    let folder = TemporaryFolder()
    let module = "base_model.model.blocks.0.to_q."
    try folder.write(
      "a.safetensors",
      [
        module + "lora_A.weight": EncodedTensor(Tensor(random: [8, 24], seed: 1), as: .f16),
        module + "lora_B.weight": EncodedTensor(Tensor(random: [24, 8], seed: 2), as: .f16),
      ])
    let run = ToolRun(
      "lyco-convert", ["a.safetensors", "--dim", "4", "-o", "b.safetensors", "-q"], in: folder.path)
    #expect(run.status == 0, "\(run.errors)")
    #expect(
      try Self.shapes(folder.file("b.safetensors")) == [
        module + "lora_A.weight": [4, 24], module + "lora_B.weight": [24, 4],
      ])
  }

  /// A rank is asked of the sum, not of what is left of a sum that is stored whole.
  @Test func rankOfSum() throws {
    let folder = TemporaryFolder()
    try folder.write("a.safetensors", Self.lora(1, rank: 14))
    try folder.write("b.safetensors", Self.lora(5, rank: 14))
    let run = ToolRun(
      "lyco-convert",
      ["a.safetensors", "b.safetensors", "--dim", "6", "-o", "c.safetensors", "-q"],
      in: folder.path)
    #expect(run.status == 0, "\(run.errors)")
    #expect(try Self.shapes(folder.file("c.safetensors"))[Self.up] == [24, 6])
  }

  /// Factors that do not go together are refused before anything is computed from them.
  @Test(arguments: [["--dim", "2"], ["--algo", "lokr"], ["--to", "kohya"]])
  func refusesFactors(arguments: [String]) throws {
    let folder = TemporaryFolder()
    var tensors = Self.lora(1, rank: 8)
    tensors[Self.up] = EncodedTensor(Tensor(random: [24, 5], seed: 3), as: .f16)
    try folder.write("a.safetensors", tensors)
    let run = ToolRun(
      "lyco-convert", ["a.safetensors", "-o", "b.safetensors"] + arguments, in: folder.path)
    #expect(run.status == 1)
    #expect(run.errors.contains("expected shape [24, 8], found [24, 5]"), "\(run.errors)")
    #expect(folder.entries == ["a.safetensors"])
  }

  /// The command of kohya's svd_merge_lora.py.
  @Test func combines() throws {
    let folder = TemporaryFolder()
    try folder.write("a.safetensors", Self.lora(1, rank: 4))
    try folder.write("b.safetensors", Self.lora(5, rank: 3))
    let concat = ToolRun(
      "lyco-convert",
      [
        "--models", "a.safetensors", "b.safetensors", "--ratios", "0.5", "-1", "--concat",
        "--shuffle",
        "--save_to", "c.safetensors", "-q",
      ], in: folder.path)
    #expect(concat.status == 0, "\(concat.errors)")
    #expect(concat.errors.contains("--shuffle"))
    #expect(try Self.shapes(folder.file("c.safetensors"))[Self.up] == [24, 7])
    let svd = ToolRun(
      "lyco-convert",
      [
        "--models", "a.safetensors", "b.safetensors", "--ratios", "0.5", "-1", "--method", "svd",
        "--new_rank", "5", "--save_to", "d.safetensors", "-q",
      ], in: folder.path)
    #expect(svd.status == 0, "\(svd.errors)")
    #expect(try Self.shapes(folder.file("d.safetensors"))[Self.up] == [24, 5])
    // The single block is left out: what remains of the first adapter there is nothing.
    let blocks = ToolRun(
      "lyco-convert",
      [
        "a.safetensors", "b.safetensors", "--block_weights", "single_blocks=0", "*=1", "-o",
        "e.safetensors", "-q",
      ], in: folder.path)
    #expect(blocks.status == 0, "\(blocks.errors)")
    let shapes = try Self.shapes(folder.file("e.safetensors"))
    #expect(shapes["lora_unet_single_blocks_0_linear2.lora_up.weight"] == [24, 3])
    #expect(shapes[Self.up] == [24, 7])
  }

  @Test func averages() throws {
    let folder = TemporaryFolder()
    try folder.write("a.safetensors", Self.lora(1, rank: 4))
    try folder.write("b.safetensors", Self.lora(5, rank: 4))
    let run = ToolRun(
      "lyco-convert",
      [
        "a.safetensors", "b.safetensors", "--beta", "0.9", "--no_sort", "--output_file",
        "c.safetensors",
      ],
      in: folder.path)
    #expect(run.status == 0, "\(run.errors)")
    #expect(run.output.contains("b.safetensors: beta 0.900"))
    #expect(try Self.shapes(folder.file("c.safetensors"))[Self.up] == [24, 4])
  }

  /// The command and the names of kohya's extract_lora_from_dylora.py.
  @Test func cutsDyLoRA() throws {
    let folder = TemporaryFolder()
    try folder.write("a.safetensors", Self.lora(1, rank: 8))
    let run = ToolRun(
      "lyco-convert",
      ["--model", "a.safetensors", "--unit", "4", "--save_to", "out.safetensors", "-q"],
      in: folder.path)
    #expect(run.status == 0, "\(run.errors)")
    #expect(folder.entries == ["a.safetensors", "out-0004.safetensors", "out-0008.safetensors"])
    #expect(try Self.shapes(folder.file("out-0004.safetensors"))[Self.up] == [24, 4])
  }

  @Test(arguments: [
    (["--dim", "0"], "'--dim'"), (["--dynamic_method", "sv_fro"], "'--dynamic_param'"),
    (["--dynamic_method", "sv_fro", "--dynamic_param", "2"], "from 0 to 1"),
    (["--bake_dora"], "'--base'"), (["--combine", "ties"], "'--density'"),
    (["--algo", "nonsense"], "'nonsense'"), (["--max_error", "1.5"], "'--max_error'"),
    (["--max_error", "0.1", "--max_size", "1MB"], "exclude"),
    (["--block_weights", "1,2"], "found 2"), (["--beta", "2"], "'--beta'"),
    (["--sigma_rel", "0.5"], "0.288"), (["--no_sort"], "'--ema'"),
    (["--combine", "sideways"], "concat"), (["--unit", "2", "--dim", "4"], "'--dylora_unit'"),
  ])
  func refusesInOneLine(arguments: [String], text: String) throws {
    let folder = TemporaryFolder()
    try folder.write("a.safetensors", Self.lora(1, rank: 2))
    let run = ToolRun(
      "lyco-convert", ["a.safetensors", "-o", "b.safetensors"] + arguments, in: folder.path)
    #expect(run.status == 64, "\(arguments): \(run.status)")
    #expect(run.errors.contains(text), "\(run.errors)")
    #expect(folder.entries == ["a.safetensors"])
  }
}
