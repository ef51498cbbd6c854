import Adapters
import Tensors
import Testing

/// What options promise is what factorizing gives: the error, the bytes and the tensors.
func expectReached(
  _ options: [ExtractionOption], _ change: WeightChange,
  sourceLocation: SourceLocation = #_sourceLocation
) throws {
  for option in options {
    let found = try option.algorithm.factorize(
      change, policy: option.policy, settings: option.settings)
    #expect(
      found.squaredError <= option.squaredError * (1 + 1e-5), sourceLocation: sourceLocation)
    #expect(found.byteCount == option.byteCount, sourceLocation: sourceLocation)
    #expect(
      found.factors.map(\.suffix) == option.tensors.map(\.suffix), sourceLocation: sourceLocation)
    #expect(
      found.factors.map(\.tensor.shape) == option.tensors.map(\.shape),
      sourceLocation: sourceLocation)
  }
}
