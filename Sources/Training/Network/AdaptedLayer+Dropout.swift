import Adapters
import Autograd
import LinearAlgebra
import Tensors

/// What is left out of a step, drawn anew for every step and the same whenever it is computed again.
///
/// As LyCORIS: neurons are dropped of the change's output, in bypass mode; rank dropout leaves out ranks
/// of LoRA in bypass mode, and rows of ΔW otherwise. As kohya's `networks.lora`: neurons are dropped of
/// the ranks' activations, ranks by sample, and what is left makes good for the rest.
/// LyCORIS' norms and GLoRA keep what they mean to drop, which is not followed.
extension AdaptedLayer {
  /// Whether the module takes no part in this step.
  var isLeftOut: Bool {
    guard let step = state.step, plan.options.moduleDropout > 0 else { return false }
    var generator = step.generator(.moduleDropout(module: index))
    return generator.uniform() < plan.options.moduleDropout
  }

  /// The block of ranks that this step trains; nil where all take part.
  var activeBlock: Int? {
    guard let count = factors.blocks?.count, let step = state.step else { return nil }
    var generator = step.generator(.rankDropout(module: index))
    return generator.integer(below: count)
  }

  private var dropsRanks: Bool {
    guard let form = plan.algorithm as? any ActivationForm.Type else { return false }
    return form.dropsRanks(plan, inBypass: dropsInBypass)
  }

  /// Factors of the rows of ΔW; nil for none.
  func rowMask(count: Int) -> Tensor? {
    let rate = plan.options.rankDropout
    guard rate > 0, !dropsRanks, plan.algorithm.trainingOptions.contains(.rankDropout),
      let step = state.step
    else { return nil }
    var generator = step.generator(.rankDropout(module: index))
    return mask([count], rate, &generator)
  }

  /// Zeros and ones; those left scaled up where asked for.
  private func mask(
    _ shape: Shape, _ rate: Float, _ generator: inout CounterGenerator
  ) -> Tensor {
    var mask = Tensor(zeros: shape)
    for i in mask.elements.indices where generator.uniform() >= rate { mask.elements[i] = 1 }
    if plan.dropsAsKohya { return mask * (1 / (1 - rate)) }
    let mean = mask.elements.reduce(0, +) / Float(max(mask.count, 1))
    return plan.options.scalesRankDropout && mean > 0 ? mask * (1 / mean) : mask
  }

  /// Activations of the ranks, with what is dropped of them.
  /// - Parameter salt: tells the two products of GLoRA apart.
  func hidden(_ ranks: Variable, salt: Int = 0) -> Variable {
    guard let step = state.step else { return ranks }
    var hidden = ranks
    let width = ranks.shape.dimensions.last ?? 1
    if plan.dropsAsKohya, plan.options.dropout > 0 {
      hidden = hidden.masked(by: neuronMask(hidden.shape, step))
    }
    guard plan.options.rankDropout > 0, dropsRanks else { return hidden }
    var generator = step.generator(.rankDropout(module: index))
    for _ in 0..<salt * width { _ = generator.next() }
    guard plan.dropsAsKohya else {
      return hidden.scaledColumns(
        by: Variable(mask([width], plan.options.rankDropout, &generator)))
    }
    return hidden.scaledColumnsBySample(
      mask([hidden.shape.rows, width], plan.options.rankDropout, &generator))
  }

  /// Whether neurons of the change's output are dropped.
  var dropsOutputs: Bool { dropsInBypass && plan.options.dropout > 0 && state.step != nil }

  /// The output of the change, with what is dropped of it.
  func dropping(_ change: Variable) -> Variable {
    guard dropsOutputs, let step = state.step else { return change }
    return change.masked(by: neuronMask(change.shape, step))
  }

  /// 0, or 1 / (1 − rate).
  private func neuronMask(_ shape: Shape, _ step: StepIdentity) -> Tensor {
    let rate = plan.options.dropout
    var generator = step.generator(.dropout(module: index))
    var mask = Tensor(zeros: shape)
    let kept = 1 / (1 - rate)
    for i in mask.elements.indices where generator.uniform() >= rate { mask.elements[i] = kept }
    return mask
  }
}
