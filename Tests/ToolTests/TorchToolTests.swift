import Foundation
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Torch files through the built tools: what comes out is what the same tensors give as safetensors.
@Suite struct TorchToolTests {
  static let pair = Fixtures.path("torch/pair")
  static var base: String { pair.appending("base.ckpt").string }
  static var baseTwin: String { pair.appending("base.ckpt.safetensors").string }
  static let adapter = Fixtures.path("lora/sd1-small/peft.safetensors").string

  private static func merged(
    _ base: String, _ adapter: String, in folder: borrowing TemporaryFolder, as name: String
  ) throws -> [String: EncodedTensor] {
    let run = ToolRun("lyco-merge", [base, adapter, "-o", name], in: folder.path)
    #expect(run.status == 0, "\(run.errors)")
    return try TensorFile(opening: folder.file(name)).contents
  }

  @Test func mergesTorchFiles() throws {
    let folder = TemporaryFolder()
    let expected = try Self.merged(
      Self.baseTwin, Self.adapter, in: folder, as: "expected.safetensors")
    #expect(expected.count == 64)
    for (i, name) in ["peft.pt", "peft-legacy.pt"].enumerated() {
      let found = try Self.merged(
        Self.base, Self.pair.appending(name).string, in: folder, as: "\(i).safetensors")
      #expect(found == expected, "\(name)")
    }
  }

  /// A folder keeps its shape, its weights become safetensors under the names that go with that.
  @Test func mergesIntoFoldersOfTorchFiles() throws {
    let folder = TemporaryFolder()
    let expected = try Self.merged(
      Self.baseTwin, Self.adapter, in: folder, as: "expected.safetensors")
    let found = try Self.merged(
      Self.pair.appending("folder").string, Self.adapter, in: folder, as: "out")
    #expect(
      directoryEntries(folder.file("out/unet")) == ["diffusion_pytorch_model.safetensors"])
    let names = found.map { ($0.key.replacingOccurrences(of: "unet/", with: ""), $0.value) }
    #expect(Dictionary(uniqueKeysWithValues: names) == expected)
  }

  @Test func extractsFromTorchFiles() throws {
    let folder = TemporaryFolder()
    _ = try Self.merged(Self.baseTwin, Self.adapter, in: folder, as: "tuned.safetensors")
    for (base, name) in [(Self.base, "a"), (Self.baseTwin, "b")] {
      let run = ToolRun(
        "lyco-extract",
        [base, "tuned.safetensors", "-o", "\(name).safetensors", "--linear_dim", "2"],
        in: folder.path)
      #expect(run.status == 0, "\(run.errors)")
    }
    let (a, b) = (folder.file("a.safetensors"), folder.file("b.safetensors"))
    #expect(try TensorFile(opening: a).contents == TensorFile(opening: b).contents)
  }

  @Test func inspectsTorchFiles() throws {
    let embedding = ToolRun(
      "lyco-inspect", [Fixtures.path("torch/embedding-parameters.pt").string])
    #expect(embedding.status == 0)
    // A line may be folded between any two words.
    let words = embedding.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    #expect(words.contains("one torch file"))
    #expect(embedding.output.contains("embedding"))
    // The alpha is in `adapter_config.json` beside it: 3 at rank 2.
    let adapter = ToolRun(
      "lyco-inspect", ["--json", Fixtures.path("torch/peft-folder/adapter_model.bin").string])
    #expect(adapter.status == 0, "\(adapter.errors)")
    #expect(adapter.output.contains("\"value\" : 1.5"))
  }

  @Test func refusesHostileFilesInOneLine() {
    let path = Fixtures.path("hostile/os-system-protocol-2.pt").string
    for (tool, arguments) in [
      ("lyco-inspect", [path]), ("lyco-merge", [Self.base, path, "-o", "x.safetensors"]),
      ("lyco-extract", [Self.base, path, "-o", "x.safetensors"]),
    ] {
      let run = ToolRun(tool, arguments)
      #expect(run.status != 0)
      #expect(run.errors.split(separator: "\n").count == 1, "\(run.errors)")
      #expect(run.errors.contains("'posix.system'"), "\(run.errors)")
    }
  }
}
