import Adapters
import Autograd
import LinearAlgebra
import Tensors

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

extension AdapterNetwork {
  /// What `--scale_weight_norms` found, as kohya's scripts log it.
  package struct NormReport: Equatable, Sendable {
    /// `max_norm/keys_scaled`
    package var scaledCount = 0
    /// `max_norm/average_key_norm`, after scaling.
    package var average: Float = 0
    /// `max_norm/max_key_norm`, after scaling.
    package var largest: Float = 0
  }

  /// Scales down every change of a weight whose norm exceeds the limit, by the module's own rule: LoRA and
  /// LoHa by the scalar (or the factor that carries it), kohya's LoRA by both factors alike, LoKr by all of
  /// them, rotations by their blocks, T-LoRA by its singular values. Others have no bound, as in LyCORIS.
  package func scaleNorms(to limit: Float) -> NormReport {
    var report = NormReport()
    var norms: [Float] = []
    for (module, layer) in zip(modules, layers) {
      guard let norm = module.changeNorm(of: layer.weightShape) else { continue }
      if norm > limit {
        module.scaleChange(by: limit / norm)
        report.scaledCount += 1
      }
      norms.append(min(norm, limit))
    }
    report.average = norms.isEmpty ? 0 : norms.reduce(0, +) / Float(norms.count)
    report.largest = norms.max() ?? 0
    return report
  }
}

extension AdaptedLayer {
  /// What the limit of the algorithm is on; nil where there is none.
  fileprivate func changeNorm(of weight: Shape) -> Float? {
    let values = factors.values
    switch plan.algorithm.normLimit {
    case .change:
      return Self.formula(plan.name) { () throws(AdapterError) -> Float in
        let change = try plan.algorithm.formula.adaptedWeight(
          Tensor(zeros: weight), values, multiplier: 1)
        return Float(change.sumOfSquares.squareRoot())
      }
    case .factor(let suffix):
      return values[suffix].map { Float($0.sumOfSquares.squareRoot()) }
    case nil: return nil
    }
  }

  fileprivate func scaleChange(by ratio: Float) {
    let parameters = factors.parameters
    func scale(_ suffixes: (String) -> Bool, by ratio: Float) {
      for (suffix, parameter) in parameters where suffixes(suffix) {
        parameter.value.scale(by: ratio)
      }
    }
    switch plan.algorithm.normLimit {
    case nil: break
    case .factor(let suffix): scale({ $0 == suffix }, by: ratio)
    case .change(.one(let beginning)): scale({ $0.hasPrefix(beginning) }, by: ratio)
    case .change(.all):
      let share = 1 / Float(parameters.count)
      scale({ _ in true }, by: Float(pow(ratio, share)))
    case .change(.carriers):
      if plan.dropsAsKohya, plan.algorithm == LoRA.self {
        scale({ $0.hasPrefix(LoRA.up) || $0.hasPrefix(LoRA.down) }, by: ratio.squareRoot())
      } else if let scalar = factors.scalar {
        scalar.value.scale(by: ratio)
      } else {
        let shapes = factors.values.values.mapValues(\.shape)
        let carriers = Set(plan.algorithm.formula.scaleCarriers(of: shapes) ?? [])
        scale(carriers.contains, by: ratio)
      }
    }
  }
}
