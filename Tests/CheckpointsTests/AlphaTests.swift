import Adapters
import Checkpoints
import Safetensors
import Tensors
import TestSupport
import Testing

/// Alpha in every form that files have it in.
@Suite struct AlphaTests {
  /// The module of a file of one LoRA of rank 4 with that alpha.
  private func module(_ alpha: EncodedTensor?) throws -> AdapterModule {
    let folder = TemporaryFolder()
    var tensors = [
      "m.lora_up.weight": EncodedTensor(Tensor(random: [6, 4], seed: 1), as: .f32),
      "m.lora_down.weight": EncodedTensor(Tensor(random: [4, 5], seed: 2), as: .f32),
    ]
    tensors["m.alpha"] = alpha
    return try AdapterFile(opening: folder.write("a.safetensors", tensors)).modules[0]
  }

  struct Form: Sendable, CustomTestStringConvertible {
    let dtype: DType
    let shape: Shape
    let value: Float
    var testDescription: String { "\(value) as \(dtype) \(shape)" }
  }

  static let forms =
    [DType.f32, .f16, .bf16, .f64, .i64, .i32].flatMap { dtype in
      [[], [1]].map { Form(dtype: dtype, shape: $0, value: 8) }
    } + [
      Form(dtype: .f32, shape: [], value: -2), Form(dtype: .f16, shape: [1, 1], value: 0.5),
      Form(dtype: .f32, shape: [], value: 0),
    ]

  @Test(arguments: forms)
  func reads(form: Form) throws {
    let tensor =
      form.dtype == .f64
      ? EncodedTensor(.f64, form.shape, withUnsafeBytes(of: Double(form.value)) { Array($0) })
      : EncodedTensor(Tensor(form.shape, [form.value]), as: form.dtype)
    let module = try module(tensor)
    #expect(module.alpha == form.value)
    #expect(module.scale == form.value / 4)
  }

  @Test func missingMeansRank() throws {
    let module = try module(nil)
    #expect(module.alpha == nil)
    #expect(module.scale == 1)
  }

  @Test func zeroMeansNoEffect() throws {
    let module = try module(EncodedTensor(Tensor(scalar: 0), as: .f32))
    let base = Tensor(random: [6, 5], seed: 3)
    #expect(try module.adapter(for: [6, 5]).adapt(weight: base, multiplier: 1) == base)
  }

  static let faults: [(EncodedTensor, String)] = [
    (EncodedTensor(Tensor(scalar: .nan), as: .f32), "nan"),
    (EncodedTensor(Tensor(scalar: .infinity), as: .f16), "inf"),
    (EncodedTensor(Tensor([2], [1, 2]), as: .f32), "F32 [2]"),
    (EncodedTensor(.f8e8m0, [], [1]), "F8_E8M0 []"),
  ]

  @Test(arguments: faults)
  func rejects(alpha: EncodedTensor, found: String) throws {
    let error = #expect(throws: CheckpointError.self) { try module(alpha) }
    #expect(
      error?.description.hasSuffix(
        "a.safetensors: tensor 'm.alpha': expected one finite number, found \(found)") == true)
  }

  /// diffusers keeps alpha in the metadata alone.
  @Test func readsTheMetadataOfDiffusers() throws {
    let file = try AdapterFile(opening: Fixtures.path("lora/sd1-small/diffusers.safetensors"))
    #expect(file.modules.count == 144)
    #expect(file.modules.allSatisfy { $0.alpha == 3 && $0.scale == 1.5 })
  }

  struct Recorded: Sendable {
    let json: String
    let alpha: Float?
  }

  static let recorded = [
    Recorded(json: #"{"unet.lora_alpha": 8, "unet.r": 4}"#, alpha: 8),
    Recorded(json: #"{"text_encoder.lora_alpha": 8}"#, alpha: nil),
    Recorded(
      json: #"{"unet.lora_alpha": 8, "unet.alpha_pattern": {"down.q": 2, "up.q": 3}}"#, alpha: 2),
    Recorded(json: #"{"unet.lora_alpha": 8, "unet.use_rslora": true}"#, alpha: 16),
    Recorded(json: #"{"unet.target_modules": ["q"], "unet.lora_alpha": 1.5}"#, alpha: 1.5),
    Recorded(json: "no JSON", alpha: nil),
  ]

  @Test(arguments: recorded)
  func readsRecordedAlpha(recorded: Recorded) throws {
    let folder = TemporaryFolder()
    let path = try folder.write(
      "a.safetensors",
      [
        "unet.down.q.lora_B.weight": EncodedTensor(Tensor(zeros: [6, 4]), as: .f32),
        "unet.down.q.lora_A.weight": EncodedTensor(Tensor(zeros: [4, 5]), as: .f32),
      ], metadata: ["lora_adapter_metadata": recorded.json])
    #expect(try AdapterFile(opening: path).modules[0].alpha == recorded.alpha)
  }
}
