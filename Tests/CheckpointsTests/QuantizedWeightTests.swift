import Checkpoints
import ModelFamilies
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Weights that are stored as codes, against what the tools that wrote them read.
@Suite struct QuantizedWeightTests {
  /// Files of `Fixtures/quantized` and what their weights are called.
  static let golden = [
    "bnb-nf4": "bitsandbytes NF4", "bnb-nf4-nested": "bitsandbytes NF4",
    "bnb-fp4": "bitsandbytes FP4", "bnb-fp4-nested": "bitsandbytes FP4",
    "bnb-int8": "bitsandbytes int8", "comfy-int8": "int8", "comfy-int8-rows": "int8",
    "comfy-nvfp4": "nvfp4", "comfy-mxfp8": "mxfp8",
  ]

  @Test(arguments: golden) func readsWhatTheirToolsRead(name: String, title: String) throws {
    let base = try BaseModel(
      opening: Fixtures.path("quantized/\(name).safetensors"), as: .generic)
    let dense = try TensorFile(opening: Fixtures.path("quantized/\(name).dense.safetensors"))
    try base.requireReadable()
    #expect(
      base.layout.modules.map(\.path).sorted() == ["blocks.0.to_q", "blocks.1.to_q", "final"])
    #expect(base.layout.unnamed == [])
    #expect(base.quantized.weights.values.allSatisfy { $0.quantization.name == title })
    #expect(base.quantized.weights.count == 2)
    for (key, view) in dense.tensors {
      let expected = view.tensor()
      #expect(base.shape(of: ParameterSlot(key: key)) == expected.shape)
      // One product in another order of factors.
      expectClose(try base.tensor(forKey: key), expected, tolerance: 1e-6, "\(name) \(key)")
      let rows = try base.tensor(ParameterSlot(key: key, rows: 1..<3))
      expectClose(rows, expected.rows(1..<3), tolerance: 1e-6, "\(name) \(key) rows")
    }
  }

  /// The tensors of a fixture, some of them replaced or left out.
  private func model(
    _ name: String, _ change: (inout [String: EncodedTensor]) -> Void
  ) throws -> BaseModel {
    let file = try TensorFile(opening: Fixtures.path("quantized/\(name).safetensors"))
    var tensors: [String: EncodedTensor] = [:]
    for (key, view) in file.tensors { tensors[key] = view.stored }
    change(&tensors)
    let folder = TemporaryFolder()
    return try BaseModel(opening: folder.write("base.safetensors", tensors), as: .generic)
  }

  private func expectRefusal(
    _ model: BaseModel, _ words: String..., at location: SourceLocation = #_sourceLocation
  ) {
    let error = #expect(throws: CheckpointError.self, sourceLocation: location) {
      try model.requireReadable()
    }
    for word in words {
      #expect(
        error?.description.contains(word) == true, "\(error.map { "\($0)" } ?? "")",
        sourceLocation: location)
    }
  }

  /// Programs take the published map whatever the file says.
  @Test func refusesAnotherMap() throws {
    let model = try model("bnb-nf4") {
      $0["blocks.0.to_q.weight.quant_map"] = EncodedTensor(
        Tensor([16], (0..<16).map { Float($0) / 7.5 - 1 }), as: .f32)
    }
    expectRefusal(model, "bitsandbytes NF4", "blocks.0.to_q.weight", "not the map of nf4")
  }

  @Test(arguments: [".weight.absmax", ".weight.quant_map"])
  func refusesMissingCompanions(ending: String) throws {
    let model = try model("bnb-nf4") { $0["blocks.0.to_q\(ending)"] = nil }
    expectRefusal(model, "bitsandbytes NF4", String(ending.dropFirst(8)))
  }

  @Test func refusesTheWrongNumberOfMaxima() throws {
    let model = try model("bnb-nf4") {
      $0["blocks.0.to_q.weight.absmax"] = EncodedTensor(Tensor(zeros: [3]), as: .f32)
    }
    expectRefusal(model, "expected 32 numbers")
  }

  @Test func refusesRotatedCodes() throws {
    let text = Array(#"{"format": "int8_tensorwise", "convrot": true}"#.utf8)
    let model = try model("comfy-int8") {
      $0["blocks.0.to_q.comfy_quant"] = EncodedTensor(.u8, [text.count], text)
    }
    expectRefusal(model, "int8", "rotated")
  }

  @Test func refusesScaledInputs() throws {
    let model = try model("comfy-nvfp4") {
      $0["blocks.0.to_q.pre_quant_scale"] = EncodedTensor(Tensor(zeros: [64]), as: .f32)
    }
    expectRefusal(model, "nvfp4", "pre_quant_scale")
  }

  /// ModelOpt's own files have the scales in the order of rows.
  @Test func refusesScalesInUnknownOrder() throws {
    let model = try model("comfy-nvfp4") { tensors in
      for layer in ["blocks.0.to_q", "blocks.1.to_q"] { tensors["\(layer).comfy_quant"] = nil }
    }
    expectRefusal(model, "nvfp4", "order")
  }

  /// Kinds of codes that are known by name alone, by the tensors that show them.
  @Test(arguments: [
    ("Nunchaku (SVDQuant)", ["a.qweight", "a.wscales", "a.proj_down", "a.proj_up"]),
    ("GPTQ or AWQ", ["a.qweight", "a.qzeros", "a.scales", "a.g_idx"]),
    ("compressed-tensors", ["a.weight_packed", "a.weight_scale"]),
    ("quanto", ["a.weight._data", "a.weight._scale"]),
    ("SDNQ", ["a.weight", "a.scale", "a.zero_point"]),
    ("fp8 in blocks", ["a.weight", "a.weight_scale_inv"]),
    ("bitsandbytes 4-bit", ["a.weight", "a.weight.absmax"]),
    ("HQQ", ["a.W_q"]), ("torchao", ["a._weight_qdata", "a._weight_scale"]),
    ("unknown quantization", ["a.weight"]),
  ]) func refusesByName(name: String, keys: [String]) throws {
    var tensors = ["b.weight": EncodedTensor(Tensor(zeros: [2, 2]), as: .f16)]
    for key in keys { tensors[key] = EncodedTensor(.u8, [4, 4], [UInt8](repeating: 1, count: 16)) }
    let folder = TemporaryFolder()
    let base = try BaseModel(opening: folder.write("base.safetensors", tensors), as: .generic)
    expectRefusal(base, "quantized as \(name)", "'a.weight'")
  }

  /// A format that ComfyUI may get, and lyco does not know.
  @Test func refusesUnknownWords() throws {
    let text = Array(#"{"format": "int3_magic"}"#.utf8)
    let model = try model("comfy-int8") {
      $0["blocks.0.to_q.comfy_quant"] = EncodedTensor(.u8, [text.count], text)
    }
    expectRefusal(model, "ComfyUI 'int3_magic'")
  }
}
