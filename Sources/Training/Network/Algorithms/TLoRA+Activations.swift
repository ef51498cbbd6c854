import Adapters
import Autograd
import LinearAlgebra
import Tensors

extension TLoRA: ActivationForm {
  /// Ranks are masked by sample, which no single weight can express.
  static func isUsed(_ plan: PlannedModule, bypasses: Bool?) -> Bool { true }

  static func output(
    of module: AdaptedLayer, _ layer: Layer, _ x: Variable, _ factors: Factors<Variable>,
    strength: Float
  ) throws(AdapterError) -> Variable {
    let (up, down) = (try factors.require(up), try factors.require(down))
    let values = try factors.require(values)
    let start = try factors.require(startDown)
    let mask = rankMask(in: module, of: x, rank: down.shape.rows)
    func masked(_ ranks: Variable) -> Variable {
      mask.map { ranks.scaledColumnsBySample($0) } ?? ranks
    }
    let trained = module.adding(
      to: layer.frozen(x), masked(x.linear(down.asMatrix).scaledColumns(by: values)), up: up,
      strength)
    return module.adding(
      to: trained, masked(x.linear(start.asMatrix)), up: try factors.require(startUp), -strength)
  }

  /// Zeros and ones `[samples, rank]`: the fewer ranks the noisier a sample is, one at least; nil for all of
  /// them, outside of training.
  ///
  /// Source: LyCORIS `modules/tlora.py`, `compute_timestep_mask`.
  private static func rankMask(in module: AdaptedLayer, of x: Variable, rank: Int) -> Tensor? {
    guard let step = module.state.step, !step.timesteps.isEmpty else { return nil }
    let samples = x.shape.rows
    var mask = Tensor(zeros: [samples, rank])
    for sample in 0..<samples {
      // A text may take several rows of a batch.
      let timestep = step.timesteps[sample * step.timesteps.count / samples]
      let share = (Float(step.timestepCount) - timestep) / Float(step.timestepCount)
      let active = min(max(Int(share * Float(rank - 1)), 0) + 1, rank)
      for index in 0..<active { mask.elements[sample * rank + index] = 1 }
    }
    return mask
  }
}
