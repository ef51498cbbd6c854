import Adapters
package import Autograd
import LinearAlgebra
import ModelFamilies
import Tensors

/// The adapters of a model, at work in its layers.
package final class AdapterNetwork {
  package let plan: NetworkPlan
  /// In the order of the plan.
  package let modules: [AdaptedLayer]
  /// The layers that they are attached to, in the same order.
  let layers: [Layer]
  private let state = NetworkState()

  /// Attaches an adapter that changes nothing to every layer of the plan.
  /// - Parameters:
  ///   - layers: of all parts of the model.
  ///   - seed: of the numbers that first factors are drawn by.
  /// - Throws: `NetworkError.missingLayer`, `.layerShape`, `.settings`
  package init(_ plan: NetworkPlan, layers: [Layer], seed: UInt64) throws(NetworkError) {
    // Two networks of one model, for little noise and for much, share what is trained.
    let found = Dictionary(grouping: layers) { "\($0.component)/\($0.path)" }
    var attached: [Layer] = []
    var modules: [AdaptedLayer] = []
    var others: [(Layer, AdaptedLayer)] = []
    for (index, planned) in plan.modules.enumerated() {
      let module = planned.module
      guard let twins = found["\(module.component)/\(module.path)"], let layer = twins.first else {
        throw .missingLayer(component: module.component, path: module.path)
      }
      guard layer.weightShape.count == module.shape.count else {
        throw .layerShape(path: module.path, expected: module.shape, found: layer.weightShape)
      }
      var draws = CounterGenerator(
        seed: seed, epoch: 0, sample: 0, purpose: .initialization(module: index))
      var generator = SeededGenerator(seed: draws.next())
      let factors = try TrainedFactors(
        for: planned, base: BaseWeight(layer.weightShape) { layer.weightValue }, bias: layer.bias,
        using: &generator)
      modules.append(
        AdaptedLayer(
          planned, factors, index: index, layer: layer, state: state,
          hasQuantizedBase: plan.settings.flags.hasQuantizedBase))
      attached.append(layer)
      others += twins.dropFirst().map { ($0, modules[modules.count - 1]) }
    }
    self.plan = plan
    self.modules = modules
    self.layers = attached
    for (layer, module) in zip(attached, modules) { layer.adaptation = module }
    for (layer, module) in others { layer.adaptation = module }
  }

  /// The strength of the adapter: 1 in training, 0 for the model without it.
  package var multiplier: Float {
    get { state.multiplier }
    set { state.multiplier = newValue }
  }

  /// From here on neurons, ranks and modules are dropped as this step draws them.
  package func beginStep(_ step: StepIdentity) { state.step = step }

  /// From here on nothing is dropped.
  package func endStep() { state.step = nil }

  /// All that is trained, in an order that does not change; names are unique.
  package var parameters: [Parameter] { modules.flatMap(\.factors.all) }
}
