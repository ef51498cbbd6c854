import Safetensors
import SystemPackage
import TestSupport
import Testing
import TorchFiles

/// One test per rule for shards, folders and compressed files.
@Suite struct FolderRejectionTests {
  private let index = "model.safetensors.index.json"

  @Test func rejectsMissingShard() {
    expectRejection("missing-shard/\(index)") {
      .missingShard($0, tensor: "b", shard: "two.safetensors")
    }
  }

  @Test func rejectsTensorMissingFromItsShard() {
    expectRejection("missing-from-shard/\(index)") {
      .missingFromShard($0, tensor: "c", shard: "two.safetensors")
    }
    expectRejection("in-another-shard/\(index)") {
      .missingFromShard($0, tensor: "a", shard: "two.safetensors")
    }
  }

  @Test func rejectsTensorMissingFromTheIndex() {
    expectRejection("missing-from-index/\(index)") {
      .missingFromIndex($0, tensor: "b", shard: "one.safetensors")
    }
  }

  @Test func rejectsTensorInTwoShards() {
    expectRejection("in-two-shards/\(index)") {
      .inTwoShards($0, tensor: "a", first: "one.safetensors", second: "two.safetensors")
    }
  }

  @Test func rejectsBrokenShard() {
    let shard = "broken-shard/two.safetensors"
    let error = #expect(throws: SafetensorsError.self) {
      try TensorFile(opening: Fixtures.path("broken/broken-shard/\(index)"))
    }
    #expect(error == .truncatedData(Fixtures.path("broken/\(shard)"), expected: 66, found: 65))
  }

  @Test func rejectsShardOutsideTheFolder() {
    expectRejection("shard-outside-folder/\(index)") {
      .shardOutsideFolder($0, tensor: "a", shard: "../one.safetensors")
    }
  }

  @Test func rejectsIndexWithoutWeightMap() {
    expectRejection("no-weight-map/\(index)") { .missingWeightMap($0) }
  }

  @Test func rejectsDuplicateInTheIndex() {
    expectRejection("duplicate-in-index/\(index)") { .duplicateInIndex($0, tensor: "a") }
  }

  @Test func rejectsShardThatIsNoString() {
    expectRejection("shard-is-number/\(index)") {
      .syntax($0, tensor: "a", offset: 19, expected: .string, found: UInt8(ascii: "1"))
    }
  }

  @Test func rejectsShardsWithoutIndex() {
    expectRejection("shards-without-index") {
      .shardsWithoutIndex($0, shards: ["model-00001-of-00002.safetensors"])
    }
  }

  @Test func rejectsSeveralModels() {
    expectRejection("several-models") {
      .ambiguous($0, candidates: ["one.safetensors", "two.safetensors"])
    }
  }

  @Test func rejectsFolderOfBrokenTorchFiles() {
    let error = TorchFileError.zipDirectory("no end record; the file is cut short")
    expectRejection("broken-torch-file") { .torch($0.appending("pytorch_model.bin"), error) }
    expectRejection("component-with-broken-torch-file") {
      .torch($0.appending("vae").appending("diffusion_pytorch_model.bin"), error)
    }
  }

  @Test func rejectsSeveralTorchFiles() {
    expectRejection("several-torch-files") { .ambiguous($0, candidates: ["one.bin", "two.pt"]) }
  }

  @Test func rejectsFolderWithoutWeights() {
    expectRejection("no-weights") { .noWeights($0) }
  }

  @Test func rejectsTruncatedZstd() {
    expectRejection("truncated.safetensors.zst") { .truncatedZstd($0) }
    expectRejection("cut-in-the-header.safetensors.zst") { .truncatedZstd($0) }
  }

  @Test func rejectsCorruptZstd() {
    expectRejection("corrupt.safetensors.zst") {
      .corruptZstd($0, reason: "Data corruption detected")
    }
    expectRejection("garbage-after-frame.safetensors.zst") {
      .corruptZstd($0, reason: "Unknown frame descriptor")
    }
  }

  @Test func rejectsCompressedDataOfAnotherLength() {
    expectRejection("data-cut-short.safetensors.zst") {
      .truncatedData($0, expected: 66, found: 65)
    }
    expectRejection("data-too-long.safetensors.zst") {
      .trailingBytes($0, expected: 66, found: 67)
    }
    expectRejection("header-shorter-than-claimed.safetensors.zst") {
      .headerBeyondEnd($0, length: 1000, available: 2)
    }
  }
}
