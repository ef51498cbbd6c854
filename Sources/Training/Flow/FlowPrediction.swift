import Tensors

/// What sd-scripts makes of a prediction v of Flux.1 in a mixture x before it is compared with the flow, ε − latents.
///
/// Source: sd-scripts `library/flux_train_utils.py`, `apply_model_prediction_type`.
package enum FlowPrediction: String, CaseIterable, Sendable {
  /// v
  case raw
  /// x + v
  case additive
  /// x − σ v
  case sigmaScaled = "sigma_scaled"

  /// What v itself is compared with so that it is as far off: differences are then multiplied by `scale`.
  /// - Parameters:
  ///   - flow, input: of the shape of the mixture.
  ///   - shares: of noise, of each sample.
  func target(_ flow: Tensor, in input: Tensor, at shares: [Double]) -> Tensor {
    guard self != .raw else { return flow }
    let width = flow.count / max(shares.count, 1)
    var target = flow
    for (sample, share) in shares.enumerated() {
      let sigma = Float(share)
      for i in sample * width..<(sample + 1) * width {
        let (f, x) = (flow.elements[i], input.elements[i])
        target.elements[i] = self == .additive ? f - x : (x - f) / sigma
      }
    }
    return target
  }

  func scale(at share: Double) -> Double { self == .sigmaScaled ? share : 1 }
}
