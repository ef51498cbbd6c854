import Adapters
import Safetensors
import Tensors
import TestSupport
import Testing

/// Adapters that are recognized by the names of their tensors, as other packages have them.
@Suite struct RecognitionTests {
  /// The tensors of a case as its file has them.
  private func tensors(of golden: GoldenCase) -> [String: Tensor] {
    golden.factors.mapValues { $0.tensor() }
  }

  @Test(arguments: GoldenCase.names)
  func isTheAdapterOfTheCase(name: String) throws {
    let golden = try GoldenCase(name)
    let base = golden.weight
    guard golden.algorithm != TLoRA.name else {
      #expect(throws: AdapterError.unknownBeginning) {
        try Adapter(recognizing: tensors(of: golden), for: base.shape)
      }
      return
    }
    let adapter = try Adapter(recognizing: tensors(of: golden), for: base.shape)
    let expected = try golden.adapter()
    #expect(adapter.algorithm.name == expected.algorithm.name)
    #expect(
      adapter.algorithmName.hasSuffix(" + dora") == (expected.decomposition != nil),
      "\(adapter.algorithmName)")
    // Golden themselves: GoldenMergeTests.
    #expect(
      try adapter.adapt(weight: base, multiplier: 0.6)
        == expected.adapt(weight: base, multiplier: 0.6))
    if let bias = expected.bias?[Full.difference] {
      let zeros = Tensor(zeros: bias.shape)
      #expect(
        try adapter.adapt(bias: zeros, multiplier: 1) == expected.adapt(bias: zeros, multiplier: 1))
    }
  }

  /// PEFT scales the bias of its second product by alpha / rank.
  @Test func scalesTheBiasOfAProduct() throws {
    let adapter = try Adapter(
      recognizing: [
        "lora_A.weight": Tensor([2, 3], [Float](repeating: 1, count: 6)),
        "lora_B.weight": Tensor([2, 2], [1, 0, 0, 1]), "lora_B.bias": Tensor([2], [4, -8]),
        "alpha": Tensor([], [1]),
      ], for: [2, 3])
    #expect(try adapter.adapt(bias: Tensor(zeros: [2]), multiplier: 1).elements == [2, -4])
  }

  struct Refusal: Sendable {
    let shapes: [String: Shape]
    var base: Shape = [2, 3]
    let wording: String
  }

  static let refusals = [
    Refusal(shapes: [:], wording: "expected the tensors of one algorithm, found none"),
    Refusal(
      shapes: ["weight": [2, 3], "alpha": []],
      wording: "expected the tensors of one algorithm, found 'alpha', 'weight'"),
    Refusal(
      shapes: ["lora_up.weight": [2, 1], "lora_down.weight": [1, 3], "hada_w1_a": [2, 1]],
      wording: "expected the tensors of one algorithm, found those of lora and loha"),
    Refusal(
      shapes: ["lora_up.weight": [2, 1], "lora_B.weight": [2, 1], "lora_down.weight": [1, 3]],
      wording:
        "expected the tensors of one algorithm, found 'lora_B.weight', 'lora_down.weight', 'lora_up.weight'"
    ),
    Refusal(
      shapes: ["lora_up.weight": [2, 1], "lora_down.weight": [1, 3], "alpha": [2]],
      wording: "'alpha': expected shape one number, found [2]"),
    Refusal(
      shapes: ["lora_up.weight": [2, 1], "lora_down.weight": [1, 3]], base: [3, 3],
      wording: "'lora_up.weight': expected shape [3, 1], found [2, 1]"),
    Refusal(
      shapes: ["lora_up.weight": [2, 1], "lora_down.weight": [1, 3], "reshape_weight": [2]],
      wording: "'reshape_weight': expected shape the extents [2, 3] of the weight, found [2]"),
  ]

  @Test(arguments: refusals)
  func saysWhy(refusal: Refusal) {
    let error = #expect(throws: AdapterError.self) {
      try Adapter(
        recognizing: refusal.shapes.mapValues { Tensor(zeros: $0) }, for: refusal.base)
    }
    #expect(error?.description == refusal.wording)
  }
}
