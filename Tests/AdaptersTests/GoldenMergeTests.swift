import Adapters
import OrderedCollections
import Safetensors
import Tensors
import TestSupport
import Testing

/// Merged weights against those of LyCORIS and of the dense formula in float64.
@Suite struct GoldenMergeTests {
  /// f32 sums of a few products against float64: 1e-5 relative is some hundred roundings.
  static let tolerance = 1e-5

  @Test(arguments: GoldenCase.names, GoldenCase.multipliers)
  func mergesAsTheReference(name: String, multiplier: String) throws {
    let golden = try GoldenCase(name)
    let scale = golden.baseScale?.tensor().elements[0] ?? 1
    var base = golden.weight
    base.scale(by: scale)
    let weight = try golden.adapter().adapt(weight: base, multiplier: Float(multiplier)!)
    if golden.baseScale == nil {
      expectMerged(weight, golden.merged(multiplier), "\(name) at \(multiplier)")
    } else {
      // The scale of the result is chosen by whoever stores it: compare before coding.
      let wide = golden.file.tensors["merged_wide.\(multiplier)"]!
      expectClose(weight, wide.tensor(), tolerance: Self.tolerance, "\(name) at \(multiplier)")
    }
    if let merged = golden.mergedBias(multiplier) {
      let bias = golden.bias?.tensor() ?? Tensor(zeros: merged.shape)
      expectMerged(
        try golden.adapter().adapt(bias: bias, multiplier: Float(multiplier)!), merged,
        "bias of \(name) at \(multiplier)")
    }
  }

  /// The scale that another program computed from alpha and rank.
  @Test(arguments: GoldenCase.names)
  func readsTheScale(name: String) throws {
    let golden = try GoldenCase(name)
    let expected = try #require(golden.file.metadata["scale"].flatMap(Float.init))
    let found = try golden.adapter().factors.scale
    #expect(abs(found - expected) <= expected.magnitude.ulp, "\(found)")
  }

  @Test(arguments: GoldenCase.names)
  func acceptsTheShapes(name: String) throws {
    let golden = try GoldenCase(name)
    try golden.algorithmType.check(golden.canonicalShapes, base: golden.weight.shape)
  }

  /// One set of markers, and the right one, recognizes a module.
  @Test(arguments: GoldenCase.names)
  func recognizesTheAlgorithm(name: String) throws {
    let golden = try GoldenCase(name)
    let shapes = golden.canonicalShapes
    let weightFactors = shapes.filter { !biasSuffixes.contains($0.key) }
    let found = allAlgorithms.filter {
      $0.recognizes(weightFactors.isEmpty ? shapes : weightFactors)
    }
    #expect(found.map { $0.name } == [golden.algorithm])
  }

  /// f32 within the tolerance; 16 and 8 bits equal or, where f32 and float64 fall on two sides of a
  /// tie, one step apart; the base itself at multiplier 0.
  private func expectMerged(
    _ actual: Tensor, _ expected: EncodedTensor, _ what: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    guard expected.dtype != .f32 else {
      expectClose(
        actual, expected.decoded(), tolerance: Self.tolerance, what,
        sourceLocation: sourceLocation)
      return
    }
    let step = largestStep(EncodedTensor(actual, as: expected.dtype), expected)
    #expect(
      step <= 1, "\(what): \(step) steps of \(expected.dtype)", sourceLocation: sourceLocation)
  }
}
