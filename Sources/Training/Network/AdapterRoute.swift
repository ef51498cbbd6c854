import Adapters
import Autograd
import ModelFamilies
import Tensors

/// How the output of an adapted layer comes about.
enum AdapterRoute {
  /// Factors are applied to activations.
  case factors(any ActivationForm.Type)
  /// The frozen layer's output, and that of ΔW.
  case difference
  /// The output of W'.
  case weight
}

extension PlannedModule {
  /// Whether LyCORIS' dropouts of its bypass mode count, rather than those of rows of ΔW.
  func dropsInBypass(hasQuantizedBase: Bool) -> Bool {
    !dropsAsKohya && !isDecomposed && algorithm.trainingOptions.contains(.dropout)
      && (options.bypasses ?? (options.dropout > 0 || hasQuantizedBase))
  }

  /// - Parameter hasQuantizedBase: whether frozen linear layers are held in 8 bits.
  func route(
    of operation: Layer.Operation, _ compute: ComputeType, hasQuantizedBase: Bool
  ) -> AdapterRoute {
    let ofWeight: AdapterRoute = compute == .f32 ? .weight : .difference
    switch operation {
    case .groupNorm, .layerNorm, .rmsNorm: return .weight
    case .linear, .convolution: break
    }
    if isDecomposed { return ofWeight }
    let bypasses =
      dropsInBypass(hasQuantizedBase: hasQuantizedBase) || hasQuantizedBase
      ? true : options.bypasses
    guard let form = algorithm as? any ActivationForm.Type, form.applies(to: operation) else {
      return bypasses == true && algorithm.trainingOptions.contains(.bypass)
        ? .difference : ofWeight
    }
    return form.isUsed(self, bypasses: bypasses) ? .factors(form) : ofWeight
  }

  /// Bytes of ΔW or W', and of what it is made from, that wait for the backward pass; they do not depend on a batch.
  func keptBytes(_ compute: ComputeType, hasQuantizedBase: Bool) -> Int {
    let isLinear = module.kind == .linear || module.shape.kernel.allSatisfy { $0 == 1 }
    let operation: Layer.Operation =
      module.kind == .norm
      ? .layerNorm(epsilon: 0) : isLinear ? .linear : .convolution(ConvolutionGeometry())
    switch route(of: operation, compute, hasQuantizedBase: hasQuantizedBase) {
    case .factors: return 0
    case .difference, .weight:
      // DoRA keeps its direction besides.
      let matrices =
        algorithm.keptMatrices(for: module.shape, rank: options.rank) + (isDecomposed ? 1 : 0)
      return matrices * module.shape.count * MemoryLayout<Float>.stride
    }
  }
}
