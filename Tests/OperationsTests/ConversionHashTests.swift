import Checkpoints
import Foundation
import ModelFamilies
import Operations
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// The hashes of converted adapters, against kohya's definition over files of the Python library
/// (`scripts/fixtures/make-conversion-fixtures.py`).
@Suite struct ConversionHashTests {
  struct Described: Decodable, Sendable, CustomTestStringConvertible {
    struct Entry: Decodable, Sendable {
      let name: String
      let dtype: String
      let shape: [Int]
      let seed: Int

      /// Byte i is (7 i + seed) mod 61.
      var tensor: EncodedTensor {
        let (dtype, shape) = (DType(rawValue: dtype)!, Shape(shape))
        let count = shape.count * dtype.bitsPerElement / 8
        return EncodedTensor(dtype, shape, (0..<count).map { UInt8((7 * $0 + seed) % 61) })
      }
    }

    let name: String
    let tensors: [Entry]
    let metadata: [String: String]
    let model: String
    let legacy: String
    var testDescription: String { name }

    static let all: [Described] = {
      let data = FileManager.default.contents(
        atPath: Fixtures.path("conversion/hashes.json").string)!
      return try! JSONDecoder().decode([Described].self, from: data)
    }()
  }

  /// Hashes of the file before do not stay. What is compressed is hashed before it is written, the rest while it is.
  @Test(arguments: Described.all, ["out.safetensors", "out.safetensors.zst"])
  func hashesAsKohya(described: Described, name: String) async throws {
    let folder = TemporaryFolder()
    var metadata = described.metadata
    metadata["sshs_model_hash"] = "stale"
    metadata["sshs_legacy_hash"] = "stale"
    let input = try folder.write(
      "in.safetensors",
      Dictionary(uniqueKeysWithValues: described.tensors.map { ($0.name, $0.tensor) }),
      metadata: metadata)
    let output = folder.file(name)
    let adapter = WeightedAdapter(
      file: try AdapterFile(opening: input), denoiserRatio: 1, textEncoderRatio: 1)
    _ = try await AdapterConversion(
      [adapter], settings: AdapterConversionSettings(threads: 2)
    ).run(writing: output, progress: .silent)
    let found = try TensorFile(opening: output)
    #expect(found.metadata["sshs_model_hash"] == described.model)
    #expect(found.metadata["sshs_legacy_hash"] == described.legacy)
    // Where the file is shorter than that, the legacy hash is that of nothing.
    #expect((described.legacy == "e3b0c442") == (described.name == "small"))
    for entry in described.tensors { #expect(found.tensors[entry.name]!.stored == entry.tensor) }
    for (key, value) in described.metadata { #expect(found.metadata[key] == value, "\(key)") }
  }
}
