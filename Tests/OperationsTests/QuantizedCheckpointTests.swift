import Adapters
import Checkpoints
import LinearAlgebra
import ModelFamilies
import Operations
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Merges, extractions and sums of weights that are stored as codes: what they are of the dequantized weights.
@Suite struct QuantizedCheckpointTests {
  static let names = [
    "bnb-nf4", "bnb-nf4-nested", "bnb-fp4", "bnb-fp4-nested", "bnb-int8", "comfy-int8",
    "comfy-int8-rows", "comfy-nvfp4", "comfy-mxfp8",
  ]
  static let key = "blocks.0.to_q.weight"

  private func path(_ name: String) -> FilePath { Fixtures.path("quantized/\(name).safetensors") }

  private func dense(_ name: String) throws -> [String: Tensor] {
    var values: [String: Tensor] = [:]
    for (key, view) in try TensorFile(opening: path("\(name).dense")).tensors {
      values[key] = view.tensor()
    }
    return values
  }

  /// A LoRA of rank 2 for the first layer, and its change.
  private func adapter(
    for shape: Shape, in folder: borrowing TemporaryFolder
  ) throws -> (path: FilePath, change: Tensor) {
    let up = Tensor(random: [shape.rows, 2], seed: 7)
    let down = Tensor(random: [2, shape.columns], seed: 8)
    var change = Tensor(zeros: shape)
    for i in 0..<shape.rows {
      for j in 0..<shape.columns {
        for k in 0..<2 {
          change.elements[i * shape.columns + j] +=
            up.elements[i * 2 + k] * down.elements[k * shape.columns + j]
        }
      }
    }
    let path = try folder.write(
      "lora.safetensors",
      [
        "blocks.0.to_q.lora_up.weight": EncodedTensor(up, as: .f32),
        "blocks.0.to_q.lora_down.weight": EncodedTensor(down, as: .f32),
        "blocks.0.to_q.alpha": EncodedTensor(Tensor(scalar: 2), as: .f32),
      ])
    return (path, change)
  }

  /// With a format for the output all weights are numbers, and nothing says that they are codes.
  @Test(arguments: names) func mergesAsNumbers(name: String) async throws {
    let folder = TemporaryFolder()
    let dense = try dense(name)
    let (lora, change) = try adapter(for: dense[Self.key]!.shape, in: folder)
    let output = folder.file("merged.safetensors")
    try await merge(
      path(name), [Strength(path: lora)], to: output, as: .generic,
      settings: MergeSettings(storage: .f32, filter: ModuleFilter(), threads: 2))
    let merged = try TensorFile(opening: output)
    #expect(Set(merged.tensors.keys) == Set(dense.keys))
    #expect(merged.metadata["_quantization_metadata"] == nil)
    for (key, weight) in dense {
      let expected = key == Self.key ? weight.adding(change, times: 1) : weight
      expectClose(merged.tensors[key]!.tensor(), expected, tolerance: 1e-5, "\(name) \(key)")
    }
  }

  /// Without one a weight of 4 bits takes the format that it had before; the others are what they were.
  @Test(arguments: ["bnb-nf4", "bnb-nf4-nested", "bnb-fp4"])
  func mergesIntoFourBits(name: String) async throws {
    let folder = TemporaryFolder()
    let dense = try dense(name)
    let (lora, change) = try adapter(for: dense[Self.key]!.shape, in: folder)
    let output = folder.file("merged.safetensors")
    let report = try await merge(path(name), [Strength(path: lora)], to: output, as: .generic)
    #expect(report.warnings.contains { $0.contains("is written as BF16") })
    let merged = try TensorFile(opening: output)
    let expected = dense[Self.key]!.adding(change, times: 1)
    #expect(merged.tensors[Self.key]?.dtype == .bf16)
    #expect(
      largestStep(merged.tensors[Self.key]!.stored, EncodedTensor(expected, as: .bf16)) <= 1)
    #expect(!merged.tensors.keys.contains { $0.hasPrefix(Self.key + ".") })
    let before = try TensorFile(opening: path(name))
    for (key, view) in before.tensors where !key.hasPrefix(Self.key) {
      #expect(merged.tensors[key]?.stored == view.stored, "\(key)")
    }
  }

  /// Codes of 8 bit keep their form, with a new scale.
  @Test(arguments: ["bnb-int8", "comfy-int8", "comfy-int8-rows"])
  func mergesIntoIntegers(name: String) async throws {
    let folder = TemporaryFolder()
    let dense = try dense(name)
    let (lora, change) = try adapter(for: dense[Self.key]!.shape, in: folder)
    let output = folder.file("merged.safetensors")
    try await merge(path(name), [Strength(path: lora)], to: output, as: .generic)
    let merged = try BaseModel(opening: output, as: .generic)
    #expect(merged.file.tensors[Self.key]?.dtype == .i8)
    let before = try TensorFile(opening: path(name))
    #expect(merged.file.tensors.keys.sorted() == before.tensors.keys.sorted())
    let expected = dense[Self.key]!.adding(change, times: 1)
    let found = try merged.tensor(forKey: Self.key)
    // Half a step of 127 of the largest magnitude.
    let step = expected.elements.map(abs).max()! / 127
    let error = zip(found.elements, expected.elements).map { abs($0 - $1) }.max()!
    #expect(error <= step * 0.501, "\(name): \(error) of a step \(step)")
    #expect(
      merged.file.metadata["_quantization_metadata"]
        == before.metadata["_quantization_metadata"])
  }

  /// The file does not tell what the weights were made from.
  @Test(arguments: ["comfy-nvfp4", "comfy-mxfp8"])
  func asksForAFormat(name: String) async throws {
    let folder = TemporaryFolder()
    let (lora, _) = try adapter(for: try dense(name)[Self.key]!.shape, in: folder)
    let error = #expect(throws: CheckpointError.self) {
      try mergePlan(path(name), [Strength(path: lora)], as: .generic)
    }
    #expect(error?.description.contains("quantized as \(name.dropFirst(6))") == true)
    #expect(error?.description.contains("--save_precision bf16") == true)
  }

  /// Half of the codes and half of other numbers.
  @Test(arguments: names) func addsUp(name: String) async throws {
    let folder = TemporaryFolder()
    let dense = try dense(name)
    let other = folder.file("other.safetensors")
    var tensors: [String: EncodedTensor] = [:]
    for (key, value) in dense {
      tensors[key] = EncodedTensor(Tensor(random: value.shape, seed: 9), as: .f32)
    }
    _ = try folder.write("other.safetensors", tensors)
    for order in [[path(name), other], [other, path(name)]] {
      let output = folder.file("sum.safetensors")
      try await convert(
        order, to: output, as: .generic,
        CheckpointConversionSettings(storage: .plain(.f32), threads: 2))
      let sum = try TensorFile(opening: output)
      #expect(Set(sum.tensors.keys) == Set(dense.keys))
      for (key, value) in dense {
        var expected = value
        expected.add(tensors[key]!.decoded(), times: 1)
        expected.scale(by: 0.5)
        expectClose(sum.tensors[key]!.tensor(), expected, tolerance: 1e-5, "\(name) \(key)")
      }
    }
  }

  /// One checkpoint in another format; without one it is copied, codes and all.
  @Test(arguments: names) func converts(name: String) async throws {
    let folder = TemporaryFolder()
    let copy = folder.file("copy.safetensors")
    try await convert(
      [path(name)], to: copy, as: .generic, CheckpointConversionSettings(threads: 2))
    let before = try TensorFile(opening: path(name))
    #expect(try TensorFile(opening: copy).contents == before.contents)
    #expect(
      try TensorFile(opening: copy).metadata["_quantization_metadata"]
        == before.metadata["_quantization_metadata"])

    let output = folder.file("f32.safetensors")
    try await convert(
      [path(name)], to: output, as: .generic,
      CheckpointConversionSettings(storage: .plain(.f32), threads: 2))
    let found = try TensorFile(opening: output)
    let dense = try dense(name)
    #expect(Set(found.tensors.keys) == Set(dense.keys))
    #expect(found.metadata["_quantization_metadata"] == nil)
    for (key, value) in dense {
      expectClose(found.tensors[key]!.tensor(), value, tolerance: 1e-6, "\(name) \(key)")
    }
  }

  /// The change from codes to numbers, as it is from the same numbers.
  @Test(arguments: names) func extracts(name: String) async throws {
    let folder = TemporaryFolder()
    let dense = try dense(name)
    let (_, change) = try adapter(for: dense[Self.key]!.shape, in: folder)
    var tensors = dense.mapValues { EncodedTensor($0, as: .f32) }
    tensors[Self.key] = EncodedTensor(dense[Self.key]!.adding(change, times: 1), as: .f32)
    let tuned = try folder.write("tuned.safetensors", tensors)
    let output = folder.file("full.safetensors")
    _ = try await extract(
      path(name), tuned, to: output, .perModule(linear: .full, convolution: .full), as: .generic,
      storage: .f32)
    let found = try TensorFile(opening: output).tensors.first { $0.key.hasSuffix("to_q.diff") }
    expectClose(try #require(found).value.tensor(), change, tolerance: 1e-5, name)
  }

  /// Nothing is made of codes that are not read, but a copy.
  @Test func refusesWhatIsNotRead() async throws {
    let folder = TemporaryFolder()
    let (lora, _) = try adapter(for: [4, 4], in: folder)
    let codes = EncodedTensor(.u8, [4, 4], [UInt8](0..<16))
    let scales = EncodedTensor(Tensor(random: [4, 4], seed: 1), as: .bf16)
    let base = try folder.write(
      "base.safetensors",
      ["blocks.0.to_q.qweight": codes, "blocks.0.to_q.wscales": scales, "a.weight": scales])
    func expectRefusal(_ what: String, _ body: () async throws -> Void) async {
      let error = await #expect(throws: CheckpointError.self, "\(what)") { try await body() }
      #expect(error?.description.contains("Nunchaku") == true, "\(what)")
    }
    let output = folder.file("output.safetensors")
    await expectRefusal("merge") {
      try await merge(base, [Strength(path: lora)], to: output, as: .generic)
    }
    await expectRefusal("extract") {
      _ = try await extract(
        base, base, to: output, .perModule(linear: .fixed(2), convolution: .fixed(2)),
        as: .generic)
    }
    await expectRefusal("sum") {
      try await convert(
        [base, base], to: output, as: .generic, CheckpointConversionSettings(threads: 1))
    }
    await expectRefusal("precision") {
      try await convert(
        [base], to: output, as: .generic,
        CheckpointConversionSettings(storage: .plain(.f16), threads: 1))
    }
    try await convert(
      [base], to: output, as: .generic, CheckpointConversionSettings(threads: 1))
    #expect(try TensorFile(opening: output).contents == TensorFile(opening: base).contents)
    let report = try Inspection(opening: base).report()
    #expect(report.quantizations.map(\.name) == ["Nunchaku (SVDQuant)"])
    #expect(report.quantizations[0].refusal != nil)
  }

  @Test func isInspected() throws {
    let report = try Inspection(opening: path("bnb-nf4")).report()
    #expect(report.quantizations.map(\.name) == ["bitsandbytes NF4"])
    #expect(report.quantizations.map(\.weights) == [2])
    #expect(report.quantizations[0].first == Self.key)
    #expect(report.quantizations[0].refusal == nil)
  }

  /// The configuration of a component whose weights are numbers says nothing of codes.
  @Test func correctsConfigurations() async throws {
    let folder = TemporaryFolder()
    let dense = try dense("bnb-nf4")
    let (lora, _) = try adapter(for: dense[Self.key]!.shape, in: folder)
    let source = try TensorFile(opening: path("bnb-nf4"))
    var tensors: [String: EncodedTensor] = [:]
    for (key, view) in source.tensors { tensors[key] = view.stored }
    let base = folder.file("model")
    _ = try folder.write("model/transformer/model.safetensors", tensors)
    try folder.write(
      "model/transformer/config.json",
      text: #"{"_class_name": "X", "quantization_config": {"load_in_4bit": true}, "n": 1.50}"#)
    try folder.write("model/model_index.json", text: "{}")
    let output = folder.file("merged")
    try await merge(base, [Strength(path: lora)], to: output, as: .generic)
    let merged = try TensorFile(opening: output)
    // A loader takes a component as a whole.
    #expect(
      Set(merged.tensors.keys) == Set(dense.keys.map { "transformer/" + $0 }))
    let configuration = try JSONValue(
      reading: FilePath("\(output)/transformer/config.json"), atMost: 1 << 16)
    #expect(configuration == JSONValue(parsing: #"{"_class_name": "X", "n": 1.50}"#))
  }
}
