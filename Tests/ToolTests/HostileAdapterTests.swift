import SystemPackage
import Tensors
import TestSupport
import Testing

/// Small files whose shapes and numbers ask for what nobody has: one line, whatever the tool.
struct HostileAdapterTests {
  private static func tensor(_ extents: Int...) -> EncodedTensor {
    let shape = Shape(extents)
    return EncodedTensor(.f32, shape, [UInt8](repeating: 0, count: shape.count * 4))
  }

  private static let cases: [String: [String: EncodedTensor]] = [
    "LoKr of zero extents": [
      "a.lokr_w1": tensor(1 << 30, 0), "a.lokr_w2": tensor(0, 1 << 40),
    ],
    "LoKr whose products overflow": [
      "a.lokr_w1_a": tensor(1 << 40, 0), "a.lokr_w1_b": tensor(0, 1 << 40),
      "a.lokr_w2_a": tensor(1 << 40, 0), "a.lokr_w2_b": tensor(0, 1 << 40),
    ],
    "LoKr with an empty kernel": [
      "a.lokr_w1": tensor(2, 2), "a.lokr_w2": tensor(4, 3, 0, 0),
    ],
    "a Tucker core of zero": [
      "a.lokr_w1": tensor(2, 2), "a.lokr_w2_a": tensor(0, 4), "a.lokr_w2_b": tensor(0, 3),
      "a.lokr_t2": tensor(0, 0, 3, 3),
    ],
    "BOFT without blocks": ["a.oft_blocks": tensor(3, 0, 4, 4)],
    "BOFT of blocks without extent": ["a.oft_blocks": tensor(3, 4, 0, 0)],
    "BOFT without factors": ["a.oft_blocks": tensor(0, 4, 2, 2)],
    "BOFT of a hundred factors": ["a.oft_blocks": tensor(100, 2, 2, 2)],
    "Diag-OFT without extent": ["a.oft_blocks": tensor(4, 0, 0)],
    "LoHa of rank zero": [
      "a.hada_w1_a": tensor(8, 0), "a.hada_w1_b": tensor(0, 6), "a.hada_w2_a": tensor(8, 0),
      "a.hada_w2_b": tensor(0, 6),
    ],
    "LoRA of rank zero": ["a.lora_up.weight": tensor(8, 0), "a.lora_down.weight": tensor(0, 6)],
    "GLoRA without extents": [
      "a.a1.weight": tensor(0, 6), "a.a2.weight": tensor(6, 0), "a.b1.weight": tensor(8, 0),
      "a.b2.weight": tensor(0, 6),
    ],
    "(IA)3 without numbers": ["a.weight": tensor(0, 1), "a.on_input": tensor(0)],
    "a difference without numbers": ["a.diff": tensor(0, 1 << 40)],
  ]

  @Test(arguments: cases.keys.sorted())
  func emptyAndOverflowingExtents(_ name: String) throws {
    let folder = TemporaryFolder()
    let adapter = try folder.write("adapter.safetensors", try #require(Self.cases[name]))
    let base = try folder.write(
      "base.safetensors", ["a.weight": Self.tensor(8, 6), "a.bias": Self.tensor(8)])
    let runs = [
      ToolRun("lyco-inspect", [adapter.string]),
      ToolRun("lyco-inspect", [adapter.string, "--check"]),
      ToolRun("lyco-inspect", [adapter.string, "--stats"]),
      ToolRun("lyco-inspect", [adapter.string, "--against", base.string]),
      ToolRun("lyco-merge", [base.string, adapter.string, "-o", "o.safetensors"], in: folder.path),
      ToolRun(
        "lyco-convert", [adapter.string, "--to", "diffusers", "-o", "o.safetensors"],
        in: folder.path),
      ToolRun(
        "lyco-convert", [adapter.string, "--algo", "lora", "--dim", "2", "-o", "o.safetensors"],
        in: folder.path),
    ]
    for (index, run) in runs[..<4].enumerated() {
      #expect([0, 1, 2].contains(run.status), "run \(index): \(run.status): \(run.errors)")
    }
    for run in runs[4...] {
      #expect(run.status == 1 && run.errors.hasPrefix("Error: "), "\(run.errors)")
    }
    #expect(directoryEntries(folder.path) == ["adapter.safetensors", "base.safetensors"])
  }

  @Test func countsOfTagsThatOverflow() throws {
    let folder = TemporaryFolder()
    let counts = "{\"a\": {\"tag\": 9223372036854775807}, \"b\": {\"tag\": 9223372036854775807}}"
    let adapter = try folder.write(
      "adapter.safetensors",
      ["a.lora_up.weight": Self.tensor(8, 1), "a.lora_down.weight": Self.tensor(1, 6)],
      metadata: ["ss_tag_frequency": counts])
    let run = ToolRun("lyco-inspect", [adapter.string])
    #expect(run.status == 0, "\(run.errors)")
    // Digits are grouped.
    #expect(run.output.filter(\.isNumber).contains("9223372036854775807"))
  }

  /// A shape that cannot be is a misfit like any other.
  @Test func extentsBelowZero() throws {
    let folder = TemporaryFolder()
    let base = try folder.write("base.safetensors", ["a.weight": Self.tensor(8, 6)])
    let adapter = try folder.write(
      "adapter.safetensors",
      [
        "a.lora_up.weight": Self.tensor(8, 1), "a.lora_down.weight": Self.tensor(1, 6),
        "a.reshape_weight": EncodedTensor(Tensor([2], [-8, -6]), as: .i64),
      ])
    let run = ToolRun("lyco-inspect", [adapter.string, "--against", base.string])
    #expect(run.status == 2, "\(run.output) \(run.errors)")
  }

  /// A file of 4 MB that extends a weight to 1 TB, and others that become as large when they are multiplied out.
  @Test func weightsThatNoMemoryHolds() throws {
    let folder = TemporaryFolder()
    let n = 1 << 19
    let extended = EncodedTensor(Tensor([2], [Float(n), Float(n)]), as: .f32)
    let base = try folder.write("base.safetensors", ["a.weight": Self.tensor(8, 6)])
    let large = try folder.write(
      "large.safetensors",
      [
        "a.lora_up.weight": Self.tensor(n, 1), "a.lora_down.weight": Self.tensor(1, n),
        "a.reshape_weight": extended,
      ])
    let merge = ToolRun(
      "lyco-merge", [base.string, large.string, "-o", "o.safetensors"], in: folder.path)
    #expect(merge.status == 1)
    #expect(
      merge.errors.hasPrefix(
        "Error: 'a.weight': a weight of [524288, 524288] needs 2097152 MiB of memory, "),
      "\(merge.errors)")
    let product = try folder.write(
      "product.safetensors",
      [
        "a.hada_w1_a": Self.tensor(n, 1), "a.hada_w1_b": Self.tensor(1, n),
        "a.hada_w2_a": Self.tensor(n, 1), "a.hada_w2_b": Self.tensor(1, n),
      ])
    for option in ["--stats", "--spectrum"] {
      let run = ToolRun("lyco-inspect", [product.string, option])
      #expect(run.status == 1 && run.errors.contains("of memory, "), "\(option): \(run.errors)")
    }
    let convert = ToolRun(
      "lyco-convert", [product.string, "--algo", "lokr", "-o", "o.safetensors"], in: folder.path)
    #expect(convert.status == 1 && convert.errors.contains("of memory, "), "\(convert.errors)")
  }
}
