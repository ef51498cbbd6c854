import Adapters
import Checkpoints
import FoundationEssentials
import Safetensors
import SystemPackage
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
    #expect(adapterScale(alpha: module.alpha, rank: module.rank) == form.value / 4)
  }

  @Test func missingMeansRank() throws {
    let module = try module(nil)
    #expect(module.alpha == nil)
    #expect(adapterScale(alpha: module.alpha, rank: module.rank) == 1)
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
    #expect(
      file.modules.allSatisfy {
        $0.alpha == 3 && adapterScale(alpha: $0.alpha, rank: $0.rank) == 1.5
      })
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

  /// PEFT keeps alpha in `adapter_config.json` alone. Its `use_rslora` divides by √4 = 2, where
  /// alpha / rank divides by 4.
  static let configured = [
    Recorded(json: #"{"peft_type": "LORA", "lora_alpha": 6, "r": 4}"#, alpha: 6),
    Recorded(json: #"{"lora_alpha": 6, "use_rslora": true, "r": 4}"#, alpha: 12),
    Recorded(json: #"{"lora_alpha": 6, "alpha_pattern": {"other": 5, "q": 2}}"#, alpha: 2),
    Recorded(json: #"{"lora_alpha": 6, "alpha_pattern": {"^down.q": 2}}"#, alpha: 2),
    Recorded(json: #"{"lora_alpha": 6, "alpha_pattern": {"down\\.[qk]": 2}}"#, alpha: 2),
    Recorded(json: #"{"lora_alpha": 6, "alpha_pattern": {"dow": 2, "(up|down)": 3}}"#, alpha: 6),
    // The first in the file's order.
    Recorded(json: #"{"lora_alpha": 6, "alpha_pattern": {".*q": 5, "q": 2}}"#, alpha: 5),
    Recorded(json: #"{"lora_alpha": 6, "alpha_pattern": {"q": 2, ".*q": 5}}"#, alpha: 2),
    Recorded(json: #"{"lora_alpha": 6, "alpha_pattern": null, "rank_pattern": {}}"#, alpha: 6),
    // PEFT's own default, whatever the rank.
    Recorded(json: #"{"peft_type": "LORA", "r": 4}"#, alpha: 8),
    Recorded(
      json: #"{"peft_type": "LORA", "lora_alpha": null, "alpha_pattern": {"q": 3}}"#, alpha: 3),
    Recorded(json: #"{"alpha": 6, "r": 8, "target_modules": ["q"], "bias": null}"#, alpha: 6),
  ]

  @Test(arguments: configured)
  func readsTheConfigurationOfPEFT(configured: Recorded) throws {
    let folder = TemporaryFolder()
    let tensors = [
      "base_model.model.down.q.lora_B.weight": EncodedTensor(Tensor(zeros: [6, 4]), as: .f32),
      "base_model.model.down.q.lora_A.weight": EncodedTensor(Tensor(zeros: [4, 5]), as: .f32),
    ]
    try Data(configured.json.utf8)
      .write(to: URL(filePath: folder.path.appending("adapter_config.json").string))
    let path = try folder.write("adapter_model.safetensors", tensors)
    #expect(try AdapterFile(opening: path).modules[0].alpha == configured.alpha)
    // Whatever else lies beside a configuration is not what it describes.
    let other = try folder.write("other.safetensors", tensors)
    #expect(try AdapterFile(opening: other).modules[0].alpha == nil)
  }

  /// A LoKr that is whole on both sides has no rank in its tensors. LyCORIS then ignores alpha; PEFT
  /// scales by the alpha / r of the configuration.
  @Test func scalesWholeLoKrAsPEFT() throws {
    let folder = TemporaryFolder()
    let path = try folder.write(
      "adapter_model.safetensors",
      [
        "base_model.model.q.lokr_w1": EncodedTensor(Tensor([1, 1], [2]), as: .f32),
        "base_model.model.q.lokr_w2": EncodedTensor(Tensor([1, 2], [3, 5]), as: .f32),
      ])
    let before = try AdapterFile(opening: path).modules[0].adapter(for: [1, 2])
    #expect(try before.adapt(weight: Tensor([1, 2], [1, 1]), multiplier: 1).elements == [7, 11])
    try Data(#"{"alpha": 6, "r": 4, "rank_pattern": {"k": 1}}"#.utf8)
      .write(to: URL(filePath: folder.path.appending("adapter_config.json").string))
    let after = try AdapterFile(opening: path).modules[0].adapter(for: [1, 2])
    #expect(try after.adapt(weight: Tensor([1, 2], [1, 1]), multiplier: 1).elements == [10, 16])
  }
}
