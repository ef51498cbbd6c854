import Glibc
import Operations
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@Suite struct CatalogueTests {
  private func catalogue(_ folder: borrowing TemporaryFolder) async throws -> Catalogue {
    try await Catalogue(of: folder.path, threads: 2, progress: .silent)
  }

  private func adapter(_ value: Float) -> [String: EncodedTensor] {
    let name = "lora_unet_down_blocks_0_attentions_0_proj_in"
    return [
      "\(name).lora_down.weight": EncodedTensor(Tensor([2, 3], [1, 2, 3, 4, 5, value]), as: .f32),
      "\(name).lora_up.weight": EncodedTensor(Tensor([3, 2], [1, 2, 3, 4, 5, 6]), as: .f32),
    ]
  }

  @Test func filesAreTheSameWhereTheirTensorsAre() async throws {
    let folder = TemporaryFolder()
    try folder.write("a.safetensors", adapter(6), metadata: ["ss_output_name": "first"])
    try folder.write("below/b.safetensors", adapter(6), metadata: ["ss_output_name": "second"])
    try folder.write("c.safetensors", adapter(7))
    let found = try await catalogue(folder)
    #expect(found.entries.map(\.file) == ["a.safetensors", "below/b.safetensors", "c.safetensors"])
    #expect(found.entries.map(\.title) == ["first", "second", nil])
    #expect(found.entries.map(\.ranks) == [[2], [2], [2]])
    #expect(found.duplicates.map(\.files) == [["a.safetensors", "below/b.safetensors"]])
    #expect(found.duplicates.map(\.bytes) == [found.entries[1].bytes])
    #expect(found.faults == [])
  }

  /// Samples cannot tell large files apart that differ in one number: then all of them is read.
  @Test func oneNumberMakesADifference() async throws {
    let folder = TemporaryFolder()
    var tensors: [String: EncodedTensor] = [:]
    for index in 0..<40 {
      tensors["layers.\(index).weight"] = EncodedTensor(Tensor(zeros: [64, 64]), as: .f32)
    }
    try folder.write("a.safetensors", tensors)
    try folder.write("b.safetensors", tensors)
    var numbers = [Float](repeating: 0, count: 64 * 64)
    numbers[7] = 1
    tensors["layers.39.weight"] = EncodedTensor(Tensor([64, 64], numbers), as: .f32)
    try folder.write("c.safetensors", tensors)
    let found = try await catalogue(folder)
    #expect(found.entries.map(\.kind) == [.checkpoint, .checkpoint, .checkpoint])
    #expect(found.duplicates.map(\.files) == [["a.safetensors", "b.safetensors"]])
  }

  @Test func otherNamesOfAFileAreNoDuplicates() async throws {
    let folder = TemporaryFolder()
    let path = try folder.write("a.safetensors", adapter(6))
    symlink(path.string, folder.file("b.safetensors").string)
    symlink(folder.path.string, folder.file("round").string)
    symlink("nowhere", folder.file("lost.safetensors").string)
    let found = try await catalogue(folder)
    #expect(found.entries.map(\.file) == ["a.safetensors", "b.safetensors"])
    #expect(found.duplicates == [])
    #expect(found.faults.map(\.file) == ["lost.safetensors"])
  }

  @Test func whatBelongsTogetherIsOneEntry() async throws {
    let folder = TemporaryFolder()
    let tensors = adapter(6).sorted { $0.key < $1.key }
    for (number, tensor) in tensors.enumerated() {
      try folder.write("set/m-0000\(number + 1)-of-00002.safetensors", [tensor.key: tensor.value])
    }
    try folder.write(
      "set/m.safetensors.index.json",
      text:
        #"{"weight_map": {"\#(tensors[0].key)": "m-00001-of-00002.safetensors", "\#(tensors[1].key)": "m-00002-of-00002.safetensors"}}"#
    )
    try folder.write("peft/adapter_config.json", text: "{}")
    try folder.write("peft/adapter_model.safetensors", adapter(7))
    try folder.write("peft/checkpoint-5/adapter_config.json", text: "{}")
    try folder.write("peft/checkpoint-5/adapter_model.safetensors", adapter(8))
    try folder.write("pipeline/model_index.json", text: "{}")
    try folder.write("pipeline/unet/diffusion_pytorch_model.safetensors", adapter(9))
    try folder.write("pipeline/unet/diffusion_pytorch_model.fp16.safetensors", adapter(9))
    try folder.write("pipeline/whole.safetensors", adapter(10))
    let found = try await catalogue(folder)
    #expect(
      found.entries.map(\.file) == [
        "peft", "peft/checkpoint-5", "pipeline", "pipeline/whole.safetensors",
        "set/m.safetensors.index.json",
      ])
    #expect(found.faults == [])
    #expect(found.entries.last?.storage == "2 shards")
  }

  @Test func brokenFilesHiddenOnesAndOthers() async throws {
    let folder = TemporaryFolder()
    try folder.write("good.safetensors", adapter(6))
    try folder.write(".hidden/a.safetensors", adapter(6))
    try folder.write("short.safetensors", bytes: [1, 2, 3])
    try folder.write("page.ckpt", text: "<html></html>")
    try folder.write("firmware.bin", bytes: [1, 2, 3])
    try folder.write("notes.txt", text: "words")
    let found = try await catalogue(folder)
    #expect(found.entries.map(\.file) == ["good.safetensors"])
    #expect(found.faults.map(\.file) == ["page.ckpt", "short.safetensors"])
    #expect(found.faults.allSatisfy { $0.reason.contains($0.file) })
  }

  @Test func cachesAreCountedOnly() async throws {
    let found = try await Catalogue(of: Fixtures.path("inspect"), threads: 2, progress: .silent)
    #expect(found.caches == 2)
    #expect(!found.entries.contains { $0.file == "latents.safetensors" })
    let trained = try #require(found.entries.first { $0.file == "trained.safetensors" })
    #expect(trained.title == "Lighthouse")
    #expect(trained.tags.prefix(2) == ["sea", "lamp"])
    #expect(trained.algorithms.map(\.name) == ["lora"])
    #expect(trained.family == "sd1")
  }

  @Test func aFolderOfOneModelIsOne() throws {
    let folder = TemporaryFolder()
    try folder.write("one/model.safetensors", adapter(6))
    try folder.write("two/a.safetensors", adapter(6))
    try folder.write("two/b.safetensors", adapter(6))
    try folder.write("peft/adapter_config.json", text: "{}")
    try folder.write("peft/adapter_model.safetensors", adapter(6))
    try folder.write("named/only.safetensors", adapter(6))
    try folder.write("tree/only.safetensors", adapter(6))
    try folder.write("tree/more/styles/b.safetensors", adapter(6))
    for (name, isOne) in [
      ("one", true), ("two", false), ("peft", true), ("named", true), ("tree", false), (".", false),
    ] {
      #expect(folder.file(name).holdsOneModel == isOne, "\(name)")
    }
  }
}
