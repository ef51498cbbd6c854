import Adapters
import Autograd
import Checkpoints
import Foundation
import LinearAlgebra
import ModelFamilies
import OrderedCollections
import Tensors
import TestSupport
import Testing

@testable import Training

/// What is left out in a step, and what of that comes back when a block is computed again.
extension AdapterNetworkTests {
  private func change(_ network: AdapterNetwork, _ layer: Layer, _ x: Variable) -> Tensor {
    layer(x).value.adding(layer.frozen(x).value, times: -1)
  }

  /// Rows of ΔW are left out in LyCORIS' default mode, whole outputs of the change are zero.
  @Test(arguments: ["lora", "loha", "lokr"]) func rankDropoutOfRows(algorithm: String) throws {
    for scales in [false, true] {
      let network = try Self.network(
        "algo=\(algorithm)", "rank_dropout=0.5", "rank_dropout_scale=\(scales)")
      for layer in network.layers {
        let x = Self.input(of: layer)
        let whole = change(network, layer, x)
        network.beginStep(StepIdentity(seed: 5, epoch: 0, batch: 7))
        let dropped = change(network, layer, x)
        let again = change(network, layer, x)
        network.endStep()
        #expect(dropped == again)
        let kept = (0..<16).filter { abs(dropped.elements[$0]) > 1e-5 }
        #expect((1..<16).contains(kept.count))
        let factor = scales ? 16 / Float(kept.count) : 1
        for i in whole.elements.indices {
          let expected = kept.contains(i % 16) ? whole.elements[i] * factor : 0
          #expect(abs(dropped.elements[i] - expected) < 1e-4)
        }
      }
    }
  }

  /// In bypass mode neurons of the output are dropped, and what is left makes good for them.
  @Test(arguments: ["lora", "loha", "lokr"]) func dropoutOfNeurons(algorithm: String) throws {
    let network = try Self.network("algo=\(algorithm)", "dropout=0.25", "bypass_mode=True")
    for layer in network.layers {
      let x = Self.input(of: layer)
      let whole = change(network, layer, x)
      network.beginStep(StepIdentity(seed: 5, epoch: 1, batch: 0))
      let dropped = change(network, layer, x)
      network.endStep()
      var zeros = 0
      for i in whole.elements.indices {
        if abs(dropped.elements[i]) < 1e-6 {
          zeros += 1
        } else {
          #expect(abs(dropped.elements[i] - whole.elements[i] / 0.75) < 1e-4)
        }
      }
      let share = Double(zeros) / Double(whole.count)
      // Of 160 or 384 draws at rate 0.25, within four deviations.
      #expect(abs(share - 0.25) < 0.14)
    }
  }

  @Test func moduleDropout() throws {
    let network = try Self.network("module_dropout=0.5")
    let layer = network.layers[0]
    let x = Self.input(of: layer)
    let left = (0..<200).count { batch in
      network.beginStep(StepIdentity(seed: 5, epoch: 0, batch: batch))
      return layer(x).value == layer.frozen(x).value
    }
    // 100 ± 4 deviations of 7.
    #expect(abs(left - 100) < 29)
    network.endStep()
    #expect(layer(x).value != layer.frozen(x).value)
  }

  /// kohya's LoRA drops ranks by sample: samples differ in what is left, and the mean stays.
  @Test func ranksBySample() throws {
    let network = try Self.network("rank_dropout=0.5", module: "networks.lora") { $0.dropout = 0.1 }
    let layer = network.layers[0]
    let one = Self.input(of: layer, samples: 1).value
    let both = Variable(Tensor.stacked([one, one]))
    network.beginStep(StepIdentity(seed: 5, epoch: 0, batch: 3))
    let dropped = change(network, layer, both)
    #expect(dropped.rows(0..<1) != dropped.rows(1..<2))
    let expected = {
      network.endStep()
      return change(network, layer, Variable(one))
    }()
    var sum = Tensor(zeros: expected.shape)
    let count = 1000
    for batch in 0..<count {
      network.beginStep(StepIdentity(seed: 5, epoch: 0, batch: batch))
      sum.add(change(network, layer, Variable(one)), times: 1 / Float(count))
    }
    // Four ranks at rate 0.5 deviate by their own size; the mean of 1000 by a thirtieth of that.
    #expect(sum.relativeError(to: expected) < 0.15)
  }

  /// T-LoRA gives noisy samples fewer ranks.
  @Test func ranksByTimestep() throws {
    let network = try Self.network("algo=tlora", "preset=attn-mlp")
    let layer = network.layers[0]
    let x = Self.input(of: layer)
    let whole = layer(x).value
    network.beginStep(StepIdentity(seed: 1, epoch: 0, batch: 0, timesteps: [0, 999]))
    let masked = layer(x).value
    #expect(masked.rows(0..<1).relativeError(to: whole.rows(0..<1)) < 1e-6)
    #expect(masked.rows(1..<2).relativeError(to: whole.rows(1..<2)) > 1e-3)
  }

  /// A block computed again for the backward pass drops what it dropped the first time.
  @Test func sameAtRecomputation() throws {
    for arguments in [["rank_dropout=0.3"], ["dropout=0.3", "bypass_mode=True"], ["algo=dylora"]] {
      var gradients: [[Tensor?]] = []
      for checkpoints in [false, true] {
        let plan = try Self.plan(arguments)
        let network = try AdapterNetwork(plan, layers: Self.layers(), seed: 1)
        for (index, parameter) in network.parameters.enumerated() {
          parameter.value.add(Self.random(parameter.value.shape, seed: UInt64(index)), times: 0.1)
        }
        let layer = network.layers[0]
        let x = Self.input(of: layer)
        network.beginStep(StepIdentity(seed: 5, epoch: 0, batch: 0))
        Recording().record {
          let y = checkpoints ? Variable.checkpointed([x]) { layer($0[0]) } : layer(x)
          y.backpropagate()
        }
        gradients.append(network.parameters.map(\.gradient))
      }
      #expect(gradients[0] == gradients[1], "\(arguments)")
      #expect(gradients[0].contains { $0 != nil })
    }
  }

  /// With weights of 16 bits the change goes its own way, so that what is small is not rounded off.
  @Test(arguments: ["lora", "loha", "lokr", "diag-oft", "full", "glora", "ia3", "boft"])
  func smallChangesSurviveNarrowWeights(algorithm: String) throws {
    var changes: [Tensor] = []
    for compute in [ComputeType.f32, .bf16] {
      let network = try Self.network(
        "algo=\(algorithm)", "bypass_mode=False", compute: compute, changing: false)
      for (index, parameter) in network.parameters.enumerated() {
        let step = Self.random(parameter.value.shape, seed: UInt64(index + 40))
        parameter.value.add(step, times: 1e-3)
      }
      let layer = network.layers[0]
      let base = Layer(
        component: layer.component, path: layer.path, layer.operation, weight: layer.weightValue,
        bias: layer.bias, compute: compute)
      let x = Self.input(of: layer)
      changes.append(layer(x).value.adding(base(x).value, times: -1))
    }
    // Products of 8 bits of mantissa.
    #expect(changes[1].relativeError(to: changes[0]) < 0.02, "\(algorithm)")
  }
}
