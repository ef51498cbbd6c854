import Checkpoints
import ModelFamilies
import OrderedCollections
import Safetensors
import Tensors
import TestSupport
import Testing

/// Scales of 8-bit weights in every shape that files have them in.
@Suite struct Float8ScalingTests {
  static let weightShape: Shape = [6, 8]
  static let shapes: [Shape] = [[], [1], [6], [6, 1], [6, 4, 1], [6, 2, 1]]
  static let codes = EncodedTensor(Tensor(random: weightShape, seed: 1), as: .f8e4m3)

  /// A checkpoint of one scaled layer.
  private func model(
    _ scale: EncodedTensor, ending: String = ".scale_weight", codes: EncodedTensor = Self.codes,
    others: [String: EncodedTensor] = [:]
  ) throws -> BaseModel {
    let folder = TemporaryFolder()
    var tensors = others
    tensors["a.weight"] = codes
    tensors["a" + ending] = scale
    return try BaseModel(opening: folder.write("base.safetensors", tensors), as: .generic)
  }

  private func scale(_ shape: Shape, as dtype: DType = .f32) -> EncodedTensor {
    EncodedTensor(Tensor(shape, (0..<shape.count).map { 0.5 + 0.25 * Float($0) }), as: dtype)
  }

  @Test(arguments: shapes, [".scale_weight", ".weight_scale"])
  func dequantizes(shape: Shape, ending: String) throws {
    let scale = scale(shape)
    let base = try model(scale, ending: ending)
    let found = try base.tensor(forKey: "a.weight")
    let codes = Self.codes.decoded()
    let perScale = codes.count / shape.count
    for (index, value) in found.elements.enumerated() {
      // One f32 product.
      #expect(value == codes.elements[index] * scale.decoded().elements[index / perScale])
    }
    #expect(base.layout.modules.map(\.path) == ["a"])
    #expect(base.layout.unnamed == [])
    #expect(base.quantized.keys == ["a" + ending])
  }

  /// Coding again gives each group its own scale, so that its largest number meets that of the
  /// format, and reads back within half a step.
  @Test(arguments: shapes, [Float8.e4m3, .e5m2])
  func quantizes(shape: Shape, format: Float8) throws {
    let dtype: DType = format == .e4m3 ? .f8e4m3 : .f8e5m2
    let model = try model(scale(shape), codes: EncodedTensor(Self.codes.decoded(), as: dtype))
    let scaling = try #require(model.quantized.weights["a.weight"]?.scaling)
    let weight = Tensor(random: Self.weightShape, seed: 2)
    let (codes, scales) = scaling.quantize(weight)
    #expect(scales.shape == shape)
    let perScale = weight.count / shape.count
    let stored = EncodedTensor(codes, as: dtype).decoded()
    for group in 0..<shape.count {
      let range = group * perScale..<(group + 1) * perScale
      let largest = weight.elements[range].map(abs).max()!
      #expect(abs(scales.elements[group] - largest / format.greatestFinite) <= largest.ulp)
      #expect(stored.elements[range].map(abs).max() == format.greatestFinite)
      // 3 and 2 bits of mantissa, and steps of the smallest normal number below it.
      let (relative, absolute): (Float, Float) =
        format == .e4m3 ? (0.0625, 0x1p-10) : (0.125, 0x1p-17)
      for index in range {
        let value = stored.elements[index] * scales.elements[group]
        let allowed = max(
          relative * abs(weight.elements[index]), absolute * scales.elements[group] * 1.01)
        #expect(abs(value - weight.elements[index]) <= allowed)
      }
    }
  }

  @Test func keepsZerosFinite() throws {
    let scaling = try #require(try model(scale([6, 1])).quantized.weights["a.weight"]?.scaling)
    let (codes, scales) = scaling.quantize(Tensor(zeros: Self.weightShape))
    #expect(codes == Tensor(zeros: Self.weightShape))
    #expect(scales.elements == [1, 1, 1, 1, 1, 1])
  }

  /// A scale kept in BF16 is rounded before the codes are made.
  @Test func dividesByTheScaleAsStored() throws {
    let base = try model(scale([], as: .bf16))
    let scaling = try #require(base.quantized.weights["a.weight"]?.scaling)
    let weight = Tensor(random: Self.weightShape, seed: 3)
    let (codes, scales) = scaling.quantize(weight)
    let stored = EncodedTensor(scales, as: .bf16).decoded().elements[0]
    #expect(scales.elements[0] == stored)
    for (code, value) in zip(codes.elements, weight.elements) { #expect(code == value / stored) }
  }

  /// Rows of a scaled weight are scaled as in the whole.
  @Test(arguments: shapes)
  func readsRows(shape: Shape) throws {
    let base = try model(scale(shape))
    let whole = try base.tensor(forKey: "a.weight")
    let rows = try base.tensor(ParameterSlot(key: "a.weight", rows: 2..<5))
    #expect(rows == whole.rows(2..<5))
  }

  @Test(arguments: [[2], [6, 3, 1], [12, 1], [8]] as [Shape])
  func rejectsOtherShapes(shape: Shape) throws {
    let error = #expect(throws: CheckpointError.self) { try model(scale(shape)) }
    #expect(
      error?.description.hasSuffix(
        "base.safetensors: tensor 'a.scale_weight': expected one scale, one per row or one per "
          + "block of a weight [6, 8], found shape \(shape)") == true)
  }

  /// What ComfyUI stores beside scaled weights is no parameter.
  @Test func passesOverCompanions() throws {
    let base = try model(
      scale([]),
      others: [
        "scaled_fp8": EncodedTensor(.f8e4m3, [0], []),
        "a.scale_input": EncodedTensor(Tensor(scalar: 1), as: .f32),
        "a.comfy_quant": EncodedTensor(.u8, [2], [123, 125]),
        "b.weight": EncodedTensor(Tensor(zeros: [2, 2]), as: .f16),
      ])
    #expect(base.layout.modules.map(\.path).sorted() == ["a", "b"])
    #expect(base.layout.unnamed == [])
    #expect(
      base.quantized.keys == ["a.scale_weight", "scaled_fp8", "a.scale_input", "a.comfy_quant"])
    #expect(try base.tensor(forKey: "b.weight") == Tensor(zeros: [2, 2]))
  }

  /// The golden file of a scaled base.
  @Test func readsTheGoldenBase() throws {
    let golden = try GoldenCase("lora/fp8-e4m3-scaled")
    let folder = TemporaryFolder()
    let path = try folder.write(
      "base.safetensors",
      ["m.weight": golden.base.stored, "m.scale_weight": golden.baseScale!.stored])
    let weight = try BaseModel(opening: path).tensor(forKey: "m.weight")
    // merged_wide.0 is the base in float32, coded · scale in float64.
    expectClose(
      weight, golden.file.tensors["merged_wide.0"]!.tensor(), tolerance: 1e-7, "scaled base")
  }
}
