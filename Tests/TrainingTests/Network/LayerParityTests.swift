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

/// Every algorithm on one layer, against LyCORIS' own module on it: output, loss, gradients, what ten steps
/// of AdamW make of the factors, and what is saved then. See scripts/fixtures/training/make-network-fixtures.py.
struct LayerParityTests {
  struct Golden: Decodable {
    let rate: Float
    let decay: Float
    let cases: [Case]
  }

  struct Case: Decodable, Sendable, CustomTestStringConvertible {
    let name: String
    let algorithm: String
    let layer: String
    let rank: Int
    let alpha: Float
    let arguments: [String: String]
    let losses: [Float]
    let blocks: [Int]
    var testDescription: String { name }
  }

  static let golden: Golden = {
    let path = Fixtures.path("training/network/layers.json").string
    return try! JSONDecoder().decode(
      Golden.self, from: Data(contentsOf: URL(filePath: path)))
  }()
  static let file = try! TensorFile(opening: Fixtures.path("training/network/layers.safetensors"))

  @Test(arguments: golden.cases) func sameAsLyCORIS(test: Case) throws {
    let network = try Self.network(test)
    let layer = network.layers[0]
    func stored(_ key: String) -> Tensor? { Self.file.tensors["\(test.name)/\(key)"]?.tensor() }
    func key(_ parameter: Parameter) -> String {
      Self.key(String(parameter.name.dropFirst("module.".count)))
    }
    let parameters = network.parameters
    for parameter in parameters {
      let start = try #require(stored("start.\(key(parameter))"), "\(parameter.name)")
      #expect(start.count == parameter.value.count)
      parameter.value = start.reshaped(parameter.value.shape)
    }
    let input = try #require(stored("input"))
    let target = try #require(stored("target"))
    var optimizer = AdamW(rate: Self.golden.rate, decay: Self.golden.decay)
    var worst: (output: Double, loss: Double, gradient: Double, end: Double) = (0, 0, 0, 0)
    for (step, expected) in test.losses.enumerated() {
      Self.begin(step, of: test, network)
      let loss: Float = Recording().record {
        let output = layer(Variable(input))
        if step == 0 {
          worst.output = output.value.relativeError(to: stored("output")!)
        }
        let difference = output.value.adding(target, times: -1)
        output.backpropagate(difference * (2 / Float(difference.count)))
        return Float(difference.sumOfSquares / Double(difference.count))
      }
      worst.loss = max(worst.loss, Double(abs(loss - expected) / expected))
      if step == 0 {
        for parameter in parameters {
          let golden = stored("gradient.\(key(parameter))")
          #expect((golden == nil) == (parameter.gradient == nil), "\(parameter.name)")
          guard let golden, let gradient = parameter.gradient else { continue }
          worst.gradient = max(worst.gradient, gradient.relativeError(to: golden))
        }
      }
      optimizer.step(parameters)
    }
    for parameter in parameters {
      worst.end = max(
        worst.end, parameter.value.relativeError(to: stored("end.\(key(parameter))")!))
    }
    print(test.name, network.modules[0].route, worst)
    // Sums in another order; ten steps amplify, since AdamW divides by what it has seen.
    #expect(worst.output <= 1e-5, "\(worst)")
    #expect(worst.loss <= 1e-5, "\(worst)")
    #expect(worst.gradient <= 1e-4, "\(worst)")
    #expect(worst.end <= 1e-4, "\(worst)")

    for (name, tensor) in network.tensors(as: .f32) {
      let suffix = String(name.dropFirst("module.".count))
      let view = try #require(Self.file.tensors["\(test.name)/saved.\(suffix)"], "\(name)")
      if test.algorithm == "dylora", suffix == "alpha" { continue }
      // LyCORIS stores DyLoRA's up as a matrix also for a convolution.
      if test.algorithm != "dylora" { #expect(tensor.shape == view.shape, "\(name)") }
      guard tensor.dtype != .i64 else {
        #expect(view.dtype == .i64)
        continue
      }
      #expect(tensor.decoded().relativeError(to: view.tensor()) <= 1e-4, "\(name)")
    }
    let count = Self.file.tensors.keys.count { $0.hasPrefix("\(test.name)/saved.") }
    #expect(network.tensors(as: .f32).count == count)
  }

  /// Where the formula is the same either way, LyCORIS' output comes out on every route.
  @Test(arguments: golden.cases.filter { $0.blocks.isEmpty && $0.arguments["timestep"] == nil })
  func routesAgree(test: Case) throws {
    for mode in ["True", "False", "None"] {
      let network = try Self.network(test, ["bypass_mode": mode])
      for parameter in network.parameters {
        let key = Self.key(String(parameter.name.dropFirst("module.".count)))
        let start = try #require(Self.file.tensors["\(test.name)/start.\(key)"]?.tensor())
        parameter.value = start.reshaped(parameter.value.shape)
      }
      let input = try #require(Self.file.tensors["\(test.name)/input"]?.tensor())
      let output = try #require(Self.file.tensors["\(test.name)/output"]?.tensor())
      let error = network.layers[0](Variable(input)).value.relativeError(to: output)
      #expect(error <= 1e-5, "bypass_mode=\(mode), \(network.modules[0].route): \(error)")
      network.multiplier = 0
      #expect(
        network.layers[0](Variable(input)).value
          == network.layers[0].frozen(Variable(input)).value)
    }
  }

  /// What LyCORIS calls a parameter.
  private static func key(_ suffix: String) -> String {
    let renamed = ["lora_up.weight.": "up_list.", "lora_down.weight.": "down_list."]
    for (prefix, other) in renamed where suffix.hasPrefix(prefix) {
      return other + suffix.dropFirst(prefix.count)
    }
    return suffix
  }

  /// A step in which DyLoRA draws the block of the golden run, or with the golden timestep.
  private static func begin(_ step: Int, of test: Case, _ network: AdapterNetwork) {
    if let timestep = test.arguments["timestep"] {
      network.beginStep(
        StepIdentity(seed: 1, epoch: 0, batch: step, timesteps: [Float(timestep)!]))
    }
    guard !test.blocks.isEmpty else { return }
    var batch = 0
    repeat {
      network.beginStep(StepIdentity(seed: 1, epoch: 0, batch: batch))
      batch += 1
    } while network.modules[0].activeBlock != test.blocks[step]
  }

  static func network(_ test: Case, _ others: [String: String] = [:]) throws -> AdapterNetwork {
    let weight = file.tensors["\(test.name)/layer.weight"]!.tensor()
    let bias = file.tensors["\(test.name)/layer.bias"]?.tensor()
    let operation: Layer.Operation =
      switch test.layer {
      case "linear", "linear-plain": .linear
      case "conv": .convolution(ConvolutionGeometry(padding: 1))
      case "conv-stride": .convolution(ConvolutionGeometry(stride: 2, padding: 1))
      case "conv-1x1": .convolution(ConvolutionGeometry())
      case "layer-norm": .layerNorm(epsilon: 1e-5)
      default: .groupNorm(groups: 4, epsilon: 1e-5, silu: false)
      }
    let kind: ModuleKind =
      test.layer.hasPrefix("linear")
      ? .linear : test.layer.hasPrefix("conv") ? .convolution : .norm
    let layer = Layer(
      component: "unet", path: "layer", operation, weight: weight, bias: bias, compute: .f32)
    let module = FamilyModule(
      component: "unet", role: .denoiser, path: "layer", adapterName: "module",
      containers: ["Transformer2DModel"], kind: kind, shape: weight.shape,
      weight: ParameterSlot(key: "layer.weight"),
      bias: bias.map { _ in ParameterSlot(key: "layer.bias") })
    let given = test.arguments.filter { $0.key != "timestep" }.merging(others) { $1 }
    var arguments = given.filter { $0.key != "train_on_input" }.map { "\($0.key)=\($0.value)" }
    let folder = TemporaryFolder()
    if given["train_on_input"] != nil {
      // A preset's table is the only place that LyCORIS reads it from.
      let preset = try folder.write(
        "preset.toml",
        text: """
          unet_target_module = ["Transformer2DModel"]
          [module_algo_map.Transformer2DModel]
          train_on_input = true
          """)
      arguments.append("preset=\(preset.string)")
    }
    if test.algorithm == "norm" {
      arguments.append("train_norm=True")
    } else {
      arguments.append("algo=\(test.algorithm)")
    }
    var flags = NetworkSettings.Flags()
    flags.module = "lycoris.kohya"
    flags.rank = test.rank
    flags.alpha = test.alpha
    let settings = try NetworkSettings(flags, NetworkArguments(parsing: arguments))
    let plan = try NetworkPlan(
      modules: [module], family: try #require(.named("sd1")), settings: settings)
    return try AdapterNetwork(plan, layers: [layer], seed: 1)
  }
}

/// AdamW as PyTorch has it: a parameter without a gradient is passed over.
struct AdamW {
  let rate: Float
  let decay: Float
  private var states: [ObjectIdentifier: (mean: Tensor, square: Tensor, count: Int)] = [:]

  init(rate: Float, decay: Float) {
    self.rate = rate
    self.decay = decay
  }

  mutating func step(_ parameters: [Parameter]) {
    for parameter in parameters {
      guard let gradient = parameter.gradient else { continue }
      parameter.gradient = nil
      let shape = parameter.value.shape
      var state =
        states[ObjectIdentifier(parameter)] ?? (Tensor(zeros: shape), Tensor(zeros: shape), 0)
      state.count += 1
      let corrections = [0.9, 0.999].map { 1 - pow($0, Double(state.count)) }
      for i in gradient.elements.indices {
        let g = gradient.elements[i]
        state.mean.elements[i] += 0.1 * (g - state.mean.elements[i])
        state.square.elements[i] = 0.999 * state.square.elements[i] + 0.001 * g * g
        let scale = state.square.elements[i].squareRoot() / Float(corrections[1].squareRoot())
        parameter.value.elements[i] *= 1 - rate * decay
        parameter.value.elements[i] -=
          rate / Float(corrections[0]) * state.mean.elements[i] / (scale + 1e-8)
      }
      states[ObjectIdentifier(parameter)] = state
    }
  }
}

extension Tensor {
  /// ‖self − other‖ / ‖other‖
  func relativeError(to other: Tensor) -> Double {
    (squaredDistance(to: other.reshaped(shape)) / max(other.sumOfSquares, 1e-30)).squareRoot()
  }
}
