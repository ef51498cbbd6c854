import Adapters
import Autograd
import Checkpoints
import Foundation
import LinearAlgebra
import ModelFamilies
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Training

/// A layer that is trained in parts, as `split_qkv` has it, against sd-scripts' own module in double precision. See
/// scripts/fixtures/training/make-layer-arguments.py.
struct SplitLayerTests {
  private struct Golden: Decodable {
    let split: Split
  }

  private struct Split: Decodable {
    let rank: Int
    let alpha: Float
    let rows: [Int]
    let x: Numbers
    let goal: Numbers
    let y: Numbers
    let weight: Numbers
    let parameters: [String: Numbers]
    let gradients: [String: Numbers]
    let saved: [String: Numbers]
  }

  private struct Numbers: Decodable {
    let shape: [Int]
    let values: [Double]
    var tensor: Tensor { Tensor(Shape(shape), values.map { Float($0) }) }
  }

  private static let split: Split = {
    let path = Fixtures.path("training/network/layer-arguments.json").string
    return try! JSONDecoder().decode(
      Golden.self, from: Data(contentsOf: URL(filePath: path))
    ).split
  }()

  private static let path = "single_blocks.0.linear1"

  private static func network(_ arguments: [String] = ["split_qkv=True"]) throws -> AdapterNetwork {
    let weight = split.weight.tensor
    let module = FamilyModule(
      component: "unet", role: .denoiser, path: path,
      adapterName: "lora_unet_single_blocks_0_linear1", containers: ["SingleStreamBlock"],
      kind: .linear, shape: weight.shape,
      weight: ParameterSlot(key: path + ".weight"), bias: nil)
    var flags = NetworkSettings.Flags()
    flags.module = "networks.lora_flux"
    flags.rank = split.rank
    flags.alpha = split.alpha
    let plan = try NetworkPlan(
      modules: [module], family: .named("flux")!,
      settings: NetworkSettings(flags, NetworkArguments(parsing: arguments)))
    let layer = Layer(
      component: "unet", path: path, .linear, weight: weight, bias: nil, compute: .f32)
    return try AdapterNetwork(plan, layers: [layer], seed: 3)
  }

  /// `lora_down.0.weight` of sd-scripts as it is called here.
  private static func parameter(_ name: String, of network: AdapterNetwork) throws -> Parameter {
    let parts = name.split(separator: ".")
    let suffix = "\(parts[0]).weight.\(parts[1])"
    return try #require(network.parameters.first { $0.name.hasSuffix("." + suffix) }, "\(suffix)")
  }

  private static func set(_ network: AdapterNetwork) throws {
    for (name, numbers) in split.parameters where name.hasPrefix("lora_") {
      let parameter = try parameter(name, of: network)
      #expect(parameter.value.shape == numbers.tensor.shape, "\(name)")
      parameter.value = numbers.tensor
    }
  }

  @Test func computesAsSdScripts() throws {
    let (split, network) = (Self.split, try Self.network())
    #expect(network.modules[0].plan.parts == split.rows)
    #expect(network.parameters.count == 2 * split.rows.count)
    try Self.set(network)
    let output = Recording().record {
      let output = network.layers[0](Variable(split.x.tensor))
      output.backpropagate(split.goal.tensor)
      return output.value
    }
    // Sums of f32.
    #expect(relativeError(output, split.y.tensor) <= 1e-6)
    var worst = 0.0
    for (name, numbers) in split.gradients {
      let gradient = try #require(try Self.parameter(name, of: network).gradient, "\(name)")
      worst = max(worst, gradient.relativeError(to: numbers.tensor))
    }
    print("gradients of parts", worst)
    #expect(worst <= 1e-6)
  }

  /// What is saved is sd-scripts' file, but for alpha, which is that of all ranks: whoever divides it by them gets what
  /// was trained. There it is what one part had, and a reader gives a fourth.
  @Test func savesOneAdapter() throws {
    let (split, network) = (Self.split, try Self.network())
    try Self.set(network)
    let name = "lora_unet_single_blocks_0_linear1"
    let saved = Dictionary(
      uniqueKeysWithValues: network.tensors(as: .f32).map { ($0.name, $0.tensor.decoded()) })
    #expect(saved.count == 3)
    for suffix in ["lora_down.weight", "lora_up.weight"] {
      #expect(saved["\(name).\(suffix)"] == split.saved[suffix]?.tensor, "\(suffix)")
    }
    #expect(split.saved["alpha"]?.values == [Double(split.alpha)])
    #expect(saved["\(name).alpha"]?.elements == [split.alpha * Float(split.rows.count)])
    // W + up · down · alpha / rank of the file gives what the layer gave.
    let folder = TemporaryFolder()
    let path = try folder.write(
      "a.safetensors", saved.mapValues { EncodedTensor($0, as: .f32) })
    let file = try AdapterFile(opening: path)
    let weight = split.weight.tensor
    let adapter = try file.modules[0].adapter(for: weight.shape)
    let merged = try LoRA.adaptedWeight(weight, adapter.factors, multiplier: 1)
    let output = split.x.tensor.matmul(merged.transposed())
    #expect(relativeError(output, split.y.tensor) <= 1e-6)
  }

  /// A file of a layer in parts goes on as one, and one of a whole layer does not.
  @Test func goesOn() throws {
    let network = try Self.network()
    try Self.set(network)
    let folder = TemporaryFolder()
    func write(_ network: AdapterNetwork, _ name: String) throws -> AdapterFile {
      try AdapterFile(
        opening: folder.write(
          name,
          Dictionary(
            uniqueKeysWithValues: network.tensors(as: .f32).map { ($0.name, $0.tensor) })))
    }
    let layout = try ModelLayout(
      of: [(Self.path + ".weight", Self.split.weight.tensor.shape)], as: .named("flux"))
    let next = try Self.network()
    try next.load(write(network, "parts.safetensors"), layout: layout)
    #expect(next.parameters.map(\.value) == network.parameters.map(\.value))

    let whole = try Self.network(["network_reg_dims=linear1=\(2 * Self.split.rows.count)"])
    for parameter in whole.parameters {
      parameter.value = Tensor(random: parameter.value.shape, seed: 4)
    }
    let text = message { try next.load(write(whole, "whole.safetensors"), layout: layout) }
    #expect(
      text.contains("expected factors of 4 parts, as split_qkv=True writes them"), "\(text)")
  }

  /// All parts shrink alike.
  @Test func limitsTheNorm() throws {
    let network = try Self.network()
    try Self.set(network)
    let before = network.parameters.map(\.value)
    let report = network.scaleNorms(to: 0.5)
    #expect(report.scaledCount == 1 && abs(report.largest - 0.5) < 1e-6)
    #expect(abs(network.scaleNorms(to: 10).largest - 0.5) < 1e-5)
    let ratios = zip(network.parameters, before).map { $0.value.elements[0] / $1.elements[0] }
    #expect(ratios.allSatisfy { abs($0 - ratios[0]) < 1e-6 && $0 < 1 })
  }
}
