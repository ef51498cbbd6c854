import Autograd
import Checkpoints
import DiffusionModels
import ModelFamilies
import OrderedCollections
import Pipelines
import Safetensors
import Tensors
import TestSupport
import Testing

/// Against transformers in double precision; `scripts/fixtures/training/make-text-fixtures.py` wrote what it makes.
@Suite struct T5EncoderTests {
  /// Sums of some dozen products of f32 in three blocks.
  static let tolerance = 1e-5

  static func golden() throws -> TensorFile {
    try TensorFile(opening: Fixtures.path("training/models/text/text.golden.safetensors"))
  }

  static func rows(_ name: String, _ golden: TensorFile) throws -> [[Int]] {
    let tokens = try #require(golden.tensors[name])
    let numbers = tokens.stored.bytes.withUnsafeBytes { bytes in
      stride(from: 0, to: bytes.count, by: 8).map {
        Int(bytes.loadUnaligned(fromByteOffset: $0, as: Int64.self))
      }
    }
    let length = tokens.shape.columns
    return stride(from: 0, to: numbers.count, by: length).map { Array(numbers[$0..<$0 + length]) }
  }

  static func encoder(_ file: String, compute: ComputeType = .f32) throws -> T5Encoder {
    let path = Fixtures.path("training/models/text/\(file).safetensors.zst")
    let family = try #require(ModelFamily.named("flux"))
    return try T5Encoder(
      CheckpointParameters(BaseModel(opening: path, as: family)), component: "te3",
      compute: compute)
  }

  @Test(arguments: [("t5", "t5.states"), ("t5.fp8", "t5.fp8"), ("t5.scaled", "t5.scaled")])
  func statesAreThoseOfTransformers(file: String, name: String) throws {
    let golden = try Self.golden()
    let encoder = try Self.encoder(file)
    #expect(encoder.width == 24 && encoder.vocabularySize == 2100)
    let rows = try Self.rows("t5.tokens", golden)
    let expected = try #require(golden.tensors[name]).tensor()
    let actual = encoder(rows)
    expectClose(actual, expected, tolerance: Self.tolerance)
    // A second time, when the blocks are read again.
    #expect(encoder(rows).elements == actual.elements)
    print(file, "relative error", relativeError(actual, expected))
  }

  @Test func paddingIsNotSeen() throws {
    let golden = try Self.golden()
    let rows = try Self.rows("t5.tokens", golden)
    let expected = try #require(golden.tensors["t5.states.masked"]).tensor()
    let actual = try Self.encoder("t5")(rows, counts: [37, 150])
    expectClose(actual, expected, tolerance: Self.tolerance)
    print("masked, relative error", relativeError(actual, expected))
  }

  /// The factors of products have 8 bits; measured 1.8e-2.
  @Test func inBF16() throws {
    let golden = try Self.golden()
    let expected = try #require(golden.tensors["t5.states"]).tensor()
    let actual = try Self.encoder("t5", compute: .bf16)(Self.rows("t5.tokens", golden))
    expectClose(actual, expected, tolerance: 3e-2)
    print("bf16, relative error", relativeError(actual, expected))
  }

  /// Threads change no bit.
  @Test func threadsChangeNothing() throws {
    let rows = try Self.rows("t5.tokens", Self.golden())
    let encoder = try Self.encoder("t5")
    ComputeThreads.set(1)
    let one = encoder(rows, counts: [37, 150])
    ComputeThreads.set(2)
    #expect(encoder(rows, counts: [37, 150]).elements == one.elements)
  }

  @Test func whatIsMissingIsNamed() throws {
    let folder = TemporaryFolder()
    var tensors = try TensorFile(
      opening: Fixtures.path("training/models/text/t5.safetensors.zst")
    ).contents
    tensors["encoder.block.1.layer.1.DenseReluDense.wi_1.weight"] = nil
    let path = try folder.write("t5.safetensors", tensors)
    let family = try #require(ModelFamily.named("flux"))
    #expect(
      throws: ModelError.missingParameter(
        component: "te3", name: "encoder.block.1.layer.1.DenseReluDense.wi_1.weight")
    ) {
      try T5Encoder(
        CheckpointParameters(BaseModel(opening: path, as: family)), component: "te3",
        compute: .f32)
    }
  }
}
