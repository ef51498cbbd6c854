import Adapters
import Autograd
import LinearAlgebra
import ModelFamilies
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

  /// How far a module has come.
  package struct ModuleNorm: Equatable, Sendable {
    package let component: String
    /// Dotted name of the layer that patterns see.
    package let path: String
    /// ‖ΔW‖_F, or ‖θ‖ of what is trained
    package let norm: Double
  }

  /// Whether ΔW of every module follows from its factors alone, so that its norm is told; else those of what is trained
  /// are, since W' − W would take every weight of the model.
  package var tellsChanges: Bool { modules.allSatisfy(\.isAdditive) }

  /// ‖ΔW‖_F of every module at strength 1, or the norm of its parameters where not all modules tell the former.
  /// Nothing is dropped or recorded, and no random number is drawn.
  /// - Complexity: of a LoRA of rank r O((out + in) r²); of what has to be multiplied out as a step takes.
  package func moduleNorms() -> [ModuleNorm] {
    let tellsChanges = tellsChanges
    return modules.map { module in
      let parameters = module.factors.all
      let norm =
        (tellsChanges ? module.additiveNorm : nil)
        ?? parameters.reduce(0) { $0 + $1.value.sumOfSquares }.squareRoot()
      return ModuleNorm(
        component: module.plan.module.component, path: module.plan.module.path, norm: norm)
    }
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
  fileprivate var isAdditive: Bool {
    plan.algorithm.isAdditive && !plan.algorithm.trainsWeight && factors.magnitude == nil
  }

  /// ‖ΔW‖_F of an additive algorithm.
  fileprivate var additiveNorm: Double? {
    guard let formula = plan.algorithm.formula as? any AdditiveAlgorithm.Type else { return nil }
    let values = factors.values
    let delta = Self.formula(plan.name) { () throws(AdapterError) in
      try formula.delta(of: values)
    }
    return try? delta.norm()
  }

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
