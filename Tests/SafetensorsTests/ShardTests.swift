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
          "lyco_set": "SET",
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
    let text = String(
      decoding: contents(folder.file("m.safetensors.index.json")), as: UTF8.self)
    #expect(text.replacing(/"lyco_set": "[0-9a-f]{16}"/, with: "\"lyco_set\": \"SET\"") == index)
  }

  /// Shards of one shape with other numbers, as of a merge with another ratio.
  @Test func refusesAMixtureOfTwoSets() throws {
    let folder = TemporaryFolder()
    try save(tensors, to: folder.file("m.safetensors"), shardSize: 30)
    let other = TemporaryFolder()
    try save(
      tensors.mapValues { $0.map { $0 &+ 1 } }, to: other.file("m.safetensors"), shardSize: 30)
    let shard = "m-00002-of-00002.safetensors"
    let foreign = try contents(of: other.file(shard))
    try write(foreign, to: folder.file(shard))
    let index = folder.file("m.safetensors.index.json")
    let error = #expect(throws: SafetensorsError.self) { _ = try TensorFile(opening: index) }
    #expect(error == .otherSet(index, shard: shard))
    // By itself a shard is a file like any other, without a word of its set.
    #expect(try TensorFile(opening: folder.file(shard)).metadata.isEmpty)
  }

  @Test func equalShardsAreEqualBytes() throws {
    let one = TemporaryFolder()
    let two = TemporaryFolder()
    try save(tensors, to: one.file("m.safetensors"), shardSize: 30)
    try save(tensors, to: two.file("m.safetensors"), shardSize: 30)
    #expect(try FileTree(one.path) == FileTree(two.path))
  }

  /// Whatever the number of files was before, it is that of the new checkpoint.
  @Test(arguments: [nil, 10, 30] as [Int?], [nil, 10, 30] as [Int?])
  func replacesEveryFormOfACheckpoint(before: Int?, after: Int?) throws {
    let folder = TemporaryFolder()
    let fresh = TemporaryFolder()
    for path in [folder.file("m.safetensors"), folder.file("mm.safetensors")] {
      try save(sample("old", "older", count: 10), to: path, shardSize: before)
    }
    let others = folder.entries.filter { $0.hasPrefix("mm") }
    try save(tensors, to: folder.file("m.safetensors"), shardSize: after)
    try save(tensors, to: fresh.file("m.safetensors"), shardSize: after)
    #expect(folder.entries == (fresh.entries + others).sorted())
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
