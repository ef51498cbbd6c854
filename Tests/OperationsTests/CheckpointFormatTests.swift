import Checkpoints
import ModelFamilies
import Operations
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Checkpoints in another number format.
@Suite struct CheckpointFormatTests {
  /// As torch's `Tensor.to`, bit for bit; integers and what has the format already are copied.
  @Test(arguments: [("f32", DType.f32), ("f16", .f16), ("bf16", .bf16)])
  func convertsAsTorch(name: String, dtype: DType) async throws {
    let folder = TemporaryFolder()
    let output = folder.file("out.safetensors")
    let report = try await convert(
      [conversionFixture("a")], to: output,
      CheckpointConversionSettings(storage: .plain(dtype), threads: 2))
    let (found, expected) = (
      try TensorFile(opening: output), try TensorFile(opening: conversionFixture("a-\(name)"))
    )
    #expect(Array(found.tensors.keys) == Array(expected.tensors.keys))
    for (key, view) in expected.tensors where key != "empty" {
      #expect(found.tensors[key]!.stored == view.stored, "\(key)")
    }
    let integers = found.tensors.values.filter { !$0.dtype.isFloatingPoint }
    let before = try TensorFile(opening: conversionFixture("a"))
    #expect(Set(integers.map(\.name)) == ["ids", "mask"])
    for view in integers { #expect(view.stored == before.tensors[view.name]!.stored) }
    #expect(found.metadata == before.metadata)
    // 65504 becomes 65536 in BF16, which F16 has not; 3e-39 is nothing there.
    #expect(report.overflowed == (dtype == .f16 ? 1 : 0))
    #expect((report.underflowed > 0) == (dtype == .f16))
    #expect(report.rounded > 0)
    #expect(report.notANumber == 0 && report.infinite == 0)
  }

  /// A tensor of several parts, and any number of threads: equal bytes.
  @Test func doesNotDependOnParts() async throws {
    let folder = TemporaryFolder()
    let tensor = Tensor(random: [1100, 1000], seed: 5)
    let input = try folder.write(
      "in.safetensors",
      ["a.weight": EncodedTensor(tensor, as: .f16), "b.weight": EncodedTensor(tensor, as: .f32)])
    var files: [[UInt8]] = []
    for threads in [1, 3] {
      let output = folder.file("\(threads).safetensors")
      let report = try await convert(
        [input], to: output,
        CheckpointConversionSettings(storage: .plain(.bf16), threads: threads))
      #expect(report.convertedTensors == 2 && report.numbers == 2_200_000)
      files.append(try contents(of: output))
    }
    #expect(files[0] == files[1])
    let written = try TensorFile(opening: folder.file("1.safetensors"))
    let half = EncodedTensor(tensor, as: .f16).decoded()
    #expect(written.tensors["a.weight"]!.stored == EncodedTensor(half, as: .bf16))
    #expect(written.tensors["b.weight"]!.stored == EncodedTensor(tensor, as: .bf16))
  }

  @Test func splitsAndCompresses() async throws {
    let folder = TemporaryFolder()
    let input = conversionFixture("a")
    var settings = CheckpointConversionSettings(
      storage: .plain(.bf16), threads: 2, shardSize: 1500)
    try await convert([input], to: folder.file("out.safetensors"), settings)
    #expect(folder.entries.contains("out.safetensors.index.json"))
    #expect(folder.entries.contains { $0.hasPrefix("out-00001-of-") })
    settings.shardSize = nil
    try await convert([input], to: folder.file("whole.safetensors.zst"), settings)
    let shards = try TensorFile(opening: folder.file("out.safetensors.index.json"))
    let packed = try TensorFile(opening: folder.file("whole.safetensors.zst"))
    let expected = try TensorFile(opening: conversionFixture("a-bf16"))
    #expect(packed.layout == .compressed && shards.layout == .sharded)
    for (key, view) in expected.tensors {
      #expect(shards.tensors[key]!.stored == view.stored)
      #expect(packed.tensors[key]!.stored == view.stored)
    }
  }

  /// A diffusers folder becomes one, with what else is in it.
  @Test func keepsFolders() async throws {
    let folder = TemporaryFolder()
    let base = Fixtures.path("lora/sd1-small/base")
    let settings = CheckpointConversionSettings(storage: .plain(.f16), threads: 2)
    try await convert([base], to: folder.file("out"), as: .named("sd1"), settings)
    let (found, before) = (
      try TensorFile(opening: folder.file("out")), try TensorFile(opening: base)
    )
    #expect(found.layout == .folder)
    #expect(Set(found.tensors.keys) == Set(before.tensors.keys))
    for (key, view) in before.tensors where view.dtype.isFloatingPoint {
      #expect(found.tensors[key]!.stored == EncodedTensor(view.tensor(), as: .f16))
    }
    await #expect(throws: OperationError.self) {
      try await convert(
        [base], to: folder.file("out.safetensors"), as: .named("sd1"), settings)
    }
  }

  /// What is NaN or infinite is counted and stays so.
  @Test func countsWhatIsNotFinite() async throws {
    let folder = TemporaryFolder()
    let tensor = Tensor([4], [.nan, .infinity, 1, 70000])
    let input = try folder.write("in.safetensors", ["a.weight": EncodedTensor(tensor, as: .f32)])
    let report = try await convert(
      [input], to: folder.file("out.safetensors"),
      CheckpointConversionSettings(storage: .plain(.f16), threads: 1))
    #expect(report.notANumber == 1 && report.infinite == 1 && report.overflowed == 1)
    let found = try TensorFile(opening: folder.file("out.safetensors")).tensors["a.weight"]!
      .tensor()
    #expect(found.elements[0].isNaN && found.elements[1...] == [.infinity, 1, .infinity])
  }
}
