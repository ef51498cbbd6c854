import Adapters
import Tensors
import Testing

@Suite struct AdapterErrorTests {
  static let wordings: [(AdapterError, String)] = [
    (.missingFactor("lora_up.weight"), "'lora_up.weight' is missing"),
    (
      .factorShape("lora_up.weight", expected: "[320, 16]", found: [320, 8]),
      "'lora_up.weight': expected shape [320, 16], found [320, 8]"
    ),
    (
      .residualIndex(row: 3, column: 7, shape: [3, 8]),
      "'bias_indices': position (3, 7) lies outside [3, 8]"
    ),
    (
      .unknownBeginning,
      "expected what training began with, found none: the file of a T-LoRA does not hold the singular "
        + "vectors from which it learned the difference"
    ),
  ]

  @Test(arguments: wordings)
  func says(error: AdapterError, wording: String) {
    #expect("\(error)" == wording)
  }

  struct Misfit: Sendable {
    let shapes: [String: Shape]
    let base: Shape
    let wording: String
    var algorithm: any AdapterAlgorithm.Type = LoRA.self
  }

  /// Shapes that do not fit a base, and what is said about them.
  static let misfits = [
    Misfit(
      shapes: ["lora_down.weight": [4, 8]], base: [12, 8],
      wording: "'lora_up.weight' is missing"),
    Misfit(
      shapes: ["lora_up.weight": [12, 4]], base: [12, 8],
      wording: "'lora_down.weight' is missing"),
    Misfit(
      shapes: ["lora_up.weight": [10, 4], "lora_down.weight": [4, 8]], base: [12, 8],
      wording: "'lora_up.weight': expected shape [12, 4], found [10, 4]"),
    Misfit(
      shapes: ["lora_up.weight": [12, 3], "lora_down.weight": [4, 8]], base: [12, 8],
      wording: "'lora_up.weight': expected shape [12, 4], found [12, 3]"),
    Misfit(
      shapes: ["lora_up.weight": [12, 4], "lora_down.weight": [4, 9]], base: [12, 8],
      wording: "'lora_down.weight': expected shape [4, 8], found [4, 9]"),
    Misfit(
      shapes: ["lora_up.weight": [12, 4, 1, 1], "lora_down.weight": [4, 8, 1, 1]],
      base: [12, 8, 3, 3],
      wording: "'lora_down.weight': expected shape [4, 8, 3, 3], found [4, 8, 1, 1]"),
    Misfit(
      shapes: [
        "lora_up.weight": [12, 4, 1, 1], "lora_mid.weight": [4, 4, 3, 1],
        "lora_down.weight": [4, 8, 1, 1],
      ], base: [12, 8, 3, 3],
      wording: "'lora_mid.weight': expected shape [4, 4, 3, 3], found [4, 4, 3, 1]"),
    Misfit(
      shapes: ["diff": [12, 9]], base: [12, 8],
      wording: "'diff': expected shape [12, 8], found [12, 9]", algorithm: Full.self),
    Misfit(
      shapes: ["w_norm": [9]], base: [8],
      wording: "'w_norm': expected shape [8], found [9]", algorithm: Norm.self),
  ]

  @Test(arguments: misfits)
  func saysWhatDoesNotFit(misfit: Misfit) {
    let error = #expect(throws: AdapterError.self) {
      try misfit.algorithm.check(misfit.shapes, base: misfit.base)
    }
    #expect(error?.description == misfit.wording)
  }
}
