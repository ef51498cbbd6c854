import Adapters
import Autograd
import Checkpoints
import Foundation
import LinearAlgebra
import ModelFamilies
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Training

/// Networks on two layers without a model around them: dropouts, groups, norms.
struct AdapterNetworkTests {
  static let layout = try! ModelLayout(
    of: [
      ("model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight", [16, 768]),
      ("model.diffusion_model.input_blocks.1.1.transformer_blocks.0.norm1.weight", [16]),
      ("model.diffusion_model.input_blocks.1.1.transformer_blocks.0.norm1.bias", [16]),
      ("model.diffusion_model.input_blocks.1.0.in_layers.2.weight", [16, 12, 3, 3]),
      ("model.diffusion_model.input_blocks.1.0.in_layers.2.bias", [16]),
      (
        "cond_stage_model.transformer.text_model.encoder.layers.0.self_attn.q_proj.weight",
        [16, 768]
      ),
    ], as: .named("sd1"))

  static func layers(_ compute: ComputeType = .f32) -> [Layer] {
    let operations: [ModuleKind: Layer.Operation] = [
      .linear: .linear, .convolution: .convolution(ConvolutionGeometry(padding: 1)),
      .norm: .layerNorm(epsilon: 1e-5),
    ]
    return layout.modules.enumerated().map { index, module in
      Layer(
        component: module.component, path: module.path, operations[module.kind]!,
        weight: random(module.shape, seed: UInt64(index + 1)) * 0.2,
        bias: module.bias.map { _ in random([module.shape.rows], seed: 9) }, compute: compute)
    }
  }

  static func network(
    _ arguments: String..., module: String = "lycoris.kohya", compute: ComputeType = .f32,
    seed: UInt64 = 3, changing: Bool = true,
    _ change: (inout NetworkSettings.Flags) -> Void = { _ in }
  ) throws -> AdapterNetwork {
    var flags = NetworkSettings.Flags()
    flags.module = module
    flags.rank = 4
    flags.alpha = 2
    change(&flags)
    let plan = try NetworkPlan(
      modules: layout.modules, family: layout.family,
      settings: NetworkSettings(flags, NetworkArguments(parsing: arguments)))
    let network = try AdapterNetwork(plan, layers: layers(compute), seed: seed)
    guard changing else { return network }
    for (index, parameter) in network.parameters.enumerated() {
      parameter.value.add(
        random(parameter.value.shape, seed: UInt64(index + 40)), times: 0.2)
    }
    return network
  }

  static func random(_ shape: Shape, seed: UInt64) -> Tensor {
    var generator = SeededGenerator(seed: seed)
    return Tensor(
      shape, (0..<shape.count).map { _ in Float.random(in: -1...1, using: &generator) })
  }

  static func input(of layer: Layer, samples: Int = 2) -> Variable {
    let inputs =
      layer.weightShape.dimensions.count == 1 ? layer.weightShape.rows : layer.weightShape.inputs
    let shape: Shape =
      layer.weightShape.kernel.isEmpty ? [samples, 5, inputs] : [samples, 4, 3, inputs]
    return Variable(random(shape, seed: 77))
  }

  static let algorithms = [
    "lora", "loha", "lokr", "ia3", "dylora", "full", "glora", "diag-oft", "boft", "tlora",
  ]

  // MARK: Starting

  /// A new adapter changes nothing, whatever the algorithm, the form and the format of the weights.
  @Test(arguments: algorithms, [ComputeType.f32, .bf16])
  func startsWithoutEffect(algorithm: String, compute: ComputeType) throws {
    for options in [["use_scalar=True"], ["dora_wd=True"], ["use_tucker=True"], ["rescaled=True"]] {
      var arguments = ["algo=\(algorithm)"] + options
      if algorithm == "lokr" { arguments.append("factor=4") }
      var flags = NetworkSettings.Flags()
      flags.module = "lycoris.kohya"
      let plan = try NetworkPlan(
        modules: Self.layout.modules, family: Self.layout.family,
        settings: NetworkSettings(flags, NetworkArguments(parsing: arguments)))
      let network = try AdapterNetwork(plan, layers: Self.layers(compute), seed: 1)
      for layer in network.layers {
        let x = Self.input(of: layer)
        let error = layer(x).value.relativeError(to: layer.frozen(x).value)
        // T-LoRA and DoRA give back the weight to rounding only.
        #expect(error < 1e-5, "\(arguments) \(layer.path) \(error)")
      }
    }
  }

  @Test func firstFactorsComeFromTheSeed() throws {
    let (a, b) = (try Self.network(changing: false), try Self.network(changing: false))
    let other = try Self.network(seed: 4, changing: false)
    #expect(zip(a.parameters, b.parameters).allSatisfy { $0.value == $1.value })
    #expect(zip(a.parameters, other.parameters).contains { $0.value != $1.value })
    #expect(Set(a.parameters.map(\.name)).count == a.parameters.count)
  }

  // MARK: Dropouts

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
        var flags = NetworkSettings.Flags()
        flags.module = "lycoris.kohya"
        let plan = try NetworkPlan(
          modules: Self.layout.modules, family: Self.layout.family,
          settings: NetworkSettings(flags, NetworkArguments(parsing: arguments)))
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

  // MARK: Groups

  @Test func groups() throws {
    let plain = try Self.network().parameterGroups(unetRate: 1e-3, textEncoderRates: [1e-4])
    #expect(plain.map(\.name) == ["textencoder", "unet"])
    #expect(plain.map(\.rate) == [1e-4, 1e-3])
    let network = try Self.network("loraplus_lr_ratio=4", "loraplus_text_encoder_lr_ratio=2")
    let plus = network.parameterGroups(unetRate: 1e-3, textEncoderRates: [1e-4])
    #expect(plus.map(\.name) == ["textencoder", "textencoder plus", "unet", "unet plus"])
    #expect(zip(plus.map(\.rate), [1e-4, 2e-4, 1e-3, 4e-3]).allSatisfy { abs($0 - $1) < 1e-12 })
    #expect(plus[3].parameters.allSatisfy { $0.name.hasSuffix("lora_up.weight") })
    #expect(plus.reduce(0) { $0 + $1.parameters.count } == network.parameters.count)
    let half = network.parameterGroups(unetRate: 1e-3, textEncoderRates: [0])
    #expect(half.map(\.name) == ["unet", "unet plus"])
    let blocks = try Self.network(
      "down_lr_weight=1,0.5", "mid_lr_weight=1", module: "networks.lora"
    ).parameterGroups(unetRate: 1e-3, textEncoderRates: [1e-4])
    #expect(blocks.map(\.name) == ["textencoder", "unet block1"])
    #expect(abs(blocks[1].rate - 5e-4) < 1e-12)
  }

  /// The plan knows the rates of the groups before there is a network.
  @Test(arguments: [
    [], ["loraplus_lr_ratio=4"], ["algo=loha", "loraplus_unet_lr_ratio=4"],
    ["algo=dylora", "loraplus_text_encoder_lr_ratio=2"],
  ])
  func ratesOfThePlan(arguments: [String]) throws {
    var flags = NetworkSettings.Flags()
    flags.module = "lycoris.kohya"
    let plan = try NetworkPlan(
      modules: Self.layout.modules, family: Self.layout.family,
      settings: NetworkSettings(flags, NetworkArguments(parsing: arguments)))
    let network = try AdapterNetwork(plan, layers: Self.layers(), seed: 1)
    for textEncoder in [1e-4, 0] {
      let groups = network.parameterGroups(unetRate: 1e-3, textEncoderRates: [textEncoder])
      #expect(
        plan.rates(unet: 1e-3, textEncoder: textEncoder) == Set(groups.map(\.rate)).sorted())
    }
  }

  // MARK: Norms

  @Test(arguments: algorithms) func scalesNorms(algorithm: String) throws {
    for arguments in [[], ["use_scalar=True"]] {
      var flags = NetworkSettings.Flags()
      flags.module = "lycoris.kohya"
      let plan = try NetworkPlan(
        modules: Self.layout.modules, family: Self.layout.family,
        settings: NetworkSettings(
          flags, NetworkArguments(parsing: ["algo=\(algorithm)"] + arguments)))
      let network = try AdapterNetwork(plan, layers: Self.layers(), seed: 1)
      for (index, parameter) in network.parameters.enumerated() {
        parameter.value.add(Self.random(parameter.value.shape, seed: UInt64(index)), times: 2)
      }
      let report = network.scaleNorms(to: 0.5)
      let second = network.scaleNorms(to: 0.5 * 1.001)
      guard !["ia3", "full", "glora"].contains(algorithm) else {
        #expect(report == .init())
        continue
      }
      #expect(report.scaledCount == network.modules.count)
      #expect(abs(report.largest - 0.5) < 1e-3 && abs(report.average - 0.5) < 1e-3)
      // T-LoRA's values do not scale what was subtracted.
      guard algorithm != "tlora" else { continue }
      #expect(second.scaledCount == 0 && abs(second.average - 0.5) < 1e-3, "\(second)")
    }
  }

  @Test func kohyaScalesBothFactors() throws {
    let network = try Self.network(module: "networks.lora")
    let before = network.modules[0].factors.values
    _ = network.scaleNorms(to: 0.1)
    let after = network.modules[0].factors.values
    let ratios = [LoRA.up, LoRA.down].map {
      after[$0]!.elements[0] / before[$0]!.elements[0]
    }
    #expect(abs(ratios[0] - ratios[1]) < 1e-5 && ratios[0] < 1)
  }

  // MARK: Errors

  @Test func missingLayersAreErrors() throws {
    let plan = try Self.network().plan
    #expect(throws: NetworkError.self) { try AdapterNetwork(plan, layers: [], seed: 1) }
  }
}
