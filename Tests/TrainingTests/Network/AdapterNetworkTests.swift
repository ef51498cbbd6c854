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

/// Networks on layers without a model around them: how they start; the rest is in extensions.
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

  static func plan(
    _ arguments: [String], module: String = "lycoris.kohya",
    _ change: (inout NetworkSettings.Flags) -> Void = { _ in }
  ) throws -> NetworkPlan {
    var flags = NetworkSettings.Flags()
    flags.module = module
    change(&flags)
    return try NetworkPlan(
      modules: layout.modules, family: layout.family,
      settings: NetworkSettings(
        flags, NetworkArguments(parsing: arguments), blockNumbers: layout.family.blocks?.numbers))
  }

  static func network(
    _ arguments: String..., module: String = "lycoris.kohya", compute: ComputeType = .f32,
    seed: UInt64 = 3, changing: Bool = true,
    _ change: (inout NetworkSettings.Flags) -> Void = { _ in }
  ) throws -> AdapterNetwork {
    let plan = try plan(arguments, module: module) { flags in
      flags.rank = 4
      flags.alpha = 2
      change(&flags)
    }
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

  /// A new adapter changes nothing, whatever the algorithm, the form and the format of the weights.
  @Test(arguments: algorithms, [ComputeType.f32, .bf16])
  func startsWithoutEffect(algorithm: String, compute: ComputeType) throws {
    for options in [["use_scalar=True"], ["dora_wd=True"], ["use_tucker=True"], ["rescaled=True"]] {
      var arguments = ["algo=\(algorithm)"] + options
      if algorithm == "lokr" { arguments.append("factor=4") }
      let plan = try Self.plan(arguments)
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

  @Test func missingLayersAreErrors() throws {
    let plan = try Self.network().plan
    #expect(throws: NetworkError.self) { try AdapterNetwork(plan, layers: [], seed: 1) }
  }
}
