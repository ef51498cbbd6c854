import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@Suite struct ShardTests {
  private let tensors = sample("a", "b", "c", "é", "e\"", count: 10)

  @Test func writesAndReadsShards() throws {
    let folder = TemporaryFolder()
    let path = folder.file("model.safetensors")
    try save(tensors, to: path, metadata: ["format": "pt"], shardSize: 25)
    #expect(
      folder.entries == [
        "model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
        "model-00003-of-00003.safetensors", "model.safetensors.index.json",
      ])
    for name in ["model.safetensors.index.json", ""] {
      let file = try TensorFile(opening: folder.file(name))
      #expect(file.layout == .sharded)
      #expect(file.metadata == ["format": "pt"])
      #expect(SafetensorsTests.tensors(of: file) == tensors)
      #expect(Array(file.tensors.keys) == ["a", "b", "c", "e\"", "é"])
      #expect(
        file.tensors["c"]?.file.lastComponent?.string == "model-00002-of-00003.safetensors")
    }
    let shard = try TensorFile(opening: folder.file("model-00003-of-00003.safetensors"))
    #expect(shard.layout == .single)
    #expect(Array(shard.tensors.keys) == ["é"])
  }

  /// The text by Python 3.11: `json.dumps(index, indent=2, sort_keys=True) + "\n"`, as transformers
  /// writes it.
  @Test func writesTheIndexOfTransformers() throws {
    let folder = TemporaryFolder()
    try save(tensors, to: folder.file("m.safetensors"), shardSize: 30)
    let index = """
      {
        "metadata": {
          "total_size": 50
        },
        "weight_map": {
          "a": "m-00001-of-00002.safetensors",
          "b": "m-00001-of-00002.safetensors",
          "c": "m-00001-of-00002.safetensors",
          "e\\"": "m-00002-of-00002.safetensors",
          "\\u00e9": "m-00002-of-00002.safetensors"
        }
      }

      """
    #expect(
      String(decoding: contents(folder.file("m.safetensors.index.json")), as: UTF8.self) == index)
  }

  @Test func writesOneFileIfAllFits() throws {
    let folder = TemporaryFolder()
    try save(tensors, to: folder.file("model.safetensors"), shardSize: 50)
    #expect(folder.entries == ["model.safetensors"])
  }

  /// A tensor above the limit has a shard of its own.
  @Test func keepsLargeTensorsWhole() throws {
    let folder = TemporaryFolder()
    try save(tensors, to: folder.file("model.safetensors"), shardSize: 3)
    #expect(folder.entries.count == 6)
    let file = try TensorFile(opening: folder.path)
    #expect(SafetensorsTests.tensors(of: file) == tensors)
  }

  @Test func leavesNothingWhenAbandoned() throws {
    let folder = TemporaryFolder()
    do {
      var writer = try SafetensorsWriter.create(
        folder.file("m.safetensors"), announcing: Array(tensors.keys), metadata: [:], shardSize: 10)
      for name in ["a", "b"] {
        try writer.append(name, [UInt8](repeating: 0, count: 10).span.bytes)
      }
      _ = consume writer
    }
    #expect(folder.entries.isEmpty)
  }
}
