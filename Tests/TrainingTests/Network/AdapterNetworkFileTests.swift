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

/// Adapter files of networks on two layers: what is written, and what is gone on from.
struct AdapterNetworkFileTests {
  private func write(_ network: AdapterNetwork, as dtype: DType, to path: FilePath) throws {
    let views = network.tensors(as: dtype).map { TensorView($0.name, $0.tensor, from: path) }
    try AdapterWriter.write(views, metadata: [:], to: path)
  }

  /// What is saved gives the same outputs when merged, and when it is gone on from.
  @Test(
    arguments: AdapterNetworkTests.algorithms + [
      "lora dora", "lokr dora-in", "loha scalar", "lora tucker rs", "norm",
    ])
  func savedFilesSayWhatWasTrained(name: String) throws {
    let words = name.split(separator: " ").map(String.init)
    var arguments = words[0] == "norm" ? ["train_norm=True"] : ["algo=\(words[0])"]
    let options = [
      "dora": ["dora_wd=True"], "dora-in": ["dora_wd=True", "wd_on_output=False"],
      "scalar": ["use_scalar=True"], "tucker": ["use_tucker=True"], "rs": ["rs_lora=True"],
    ]
    for word in words.dropFirst() { arguments += options[word] ?? [] }
    if words[0] == "lokr" { arguments.append("factor=4") }
    var flags = NetworkSettings.Flags()
    flags.module = "lycoris.kohya"
    flags.rank = 4
    flags.alpha = 3
    let settings = try NetworkSettings(flags, NetworkArguments(parsing: arguments))
    let plan = try NetworkPlan(
      modules: AdapterNetworkTests.layout.modules, family: AdapterNetworkTests.layout.family,
      settings: settings)
    let network = try AdapterNetwork(plan, layers: AdapterNetworkTests.layers(), seed: 1)
    for (index, parameter) in network.parameters.enumerated() {
      parameter.value.add(
        AdapterNetworkTests.random(parameter.value.shape, seed: UInt64(index + 40)), times: 0.1)
    }
    let folder = TemporaryFolder()
    let path = folder.file("adapter.safetensors")
    try write(network, as: .f32, to: path)
    let file = try AdapterFile(opening: path)
    #expect(file.modules.count == network.modules.count && file.unrecognized.isEmpty)
    for (module, layer) in zip(network.modules, network.layers) {
      let stored = try #require(file.modules.first { $0.name == module.plan.name })
      #expect(stored.algorithm.name == module.plan.algorithm.formula.name)
      let merged = try stored.adapter(for: layer.weightShape)
        .adapt(weight: layer.weightValue, multiplier: 1)
      let x = AdapterNetworkTests.input(of: layer)
      let bias =
        try stored.biasChange().map {
          layer.bias!.adding($0[Full.difference]!, times: 1)
        } ?? layer.bias
      let expected = layer.applying(
        weight: Variable(merged), bias: bias.map { Variable($0) }, to: x)
      let error = layer(x).value.relativeError(to: expected.value)
      #expect(error < 2e-5, "\(name) \(layer.path): \(error)")
    }
    let other = try AdapterNetwork(plan, layers: AdapterNetworkTests.layers(), seed: 2)
    #expect(try other.load(file, layout: AdapterNetworkTests.layout).isEmpty)
    for (a, b) in zip(network.layers, other.layers) {
      let x = AdapterNetworkTests.input(of: a)
      #expect(a(x).value.relativeError(to: b(x).value) < 2e-5, "\(name) \(a.path)")
    }
  }

  /// A file of another alpha keeps its effect; ranks come from it where asked for.
  @Test func goesOnFromAFile() throws {
    let folder = TemporaryFolder()
    let path = folder.file("adapter.safetensors")
    let network = try AdapterNetworkTests.network(module: "networks.lora")
    try write(network, as: .f32, to: path)
    let file = try AdapterFile(opening: path)
    let other = try AdapterNetworkTests.network(module: "networks.lora") { $0.alpha = 8 }
    #expect(try other.load(file, layout: AdapterNetworkTests.layout).isEmpty)
    let x = AdapterNetworkTests.input(of: network.layers[0])
    #expect(network.layers[0](x).value.relativeError(to: other.layers[0](x).value) < 1e-5)

    let wide = try AdapterNetworkTests.network(module: "networks.lora") { $0.rank = 6 }
    #expect(throws: NetworkError.self) { try wide.load(file, layout: AdapterNetworkTests.layout) }
    // Every module of the file, though the network's own selection is another.
    let unselected = try AdapterNetworkTests.network(module: "networks.lora") { $0.rank = 6 }.plan
      .settings
    let plan = try NetworkPlan(
      modules: AdapterNetworkTests.layout.modules, family: AdapterNetworkTests.layout.family,
      settings: unselected,
      stored: StoredModules(file, in: AdapterNetworkTests.layout))
    #expect(plan.modules.map(\.name) == network.plan.modules.map(\.name))
    #expect(plan.modules.allSatisfy { $0.options.rank == 4 && $0.options.alpha == 2 })
    let narrow = try AdapterNetwork(plan, layers: AdapterNetworkTests.layers(), seed: 9)
    #expect(try narrow.load(file, layout: AdapterNetworkTests.layout).isEmpty)
    #expect(network.layers[0](x).value.relativeError(to: narrow.layers[0](x).value) < 1e-6)

    let loha = try AdapterNetworkTests.network("algo=loha", "preset=attn-mlp")
    let error = #expect(throws: NetworkError.self) {
      try loha.load(file, layout: AdapterNetworkTests.layout)
    }
    #expect(error?.description.contains("expected loha, found lora") == true)
  }

  /// LoKr's layout follows from the file and the weight, whatever is asked for. Of a first convolution with 4 inputs the
  /// even layout is 2 × 2, which no other factor gives.
  @Test(
    arguments: [[320, 4, 3, 3], [16, 4, 3, 3], [640, 320], [320, 768], [2560, 1280]] as [Shape],
    [(-1, false), (2, false), (8, false), (16, false), (64, false), (-1, true), (8, true)]
      as [(Int, Bool)])
  func layoutsAreThoseOfAFile(weight: Shape, made: (Int, Bool)) {
    var settings = AdapterSettings(rank: 4)
    (settings.factor, settings.isUnbalanced) = made
    let shapes = LoKr.initialShapes(for: weight, settings)
    for asked in [(-1, false), (4, false), (8, false), (8, true)] {
      (settings.factor, settings.isUnbalanced) = asked
      LoKr.adopt(shapes, { _ in nil }, of: weight, into: &settings)
      #expect(LoKr.initialShapes(for: weight, settings) == shapes, "asked for \(asked)")
    }
  }

  /// Extracted files may hold changes of biases, which no factors of LoRA have a place for.
  @Test func biasesThatStayAreTold() throws {
    let folder = TemporaryFolder()
    let path = folder.file("adapter.safetensors")
    let network = try AdapterNetworkTests.network("algo=lora")
    var views = network.tensors(as: .f32).map { TensorView($0.name, $0.tensor, from: path) }
    let index = try #require(network.modules.firstIndex { $0.plan.module.bias != nil })
    let name = network.modules[index].plan.name
    let change = EncodedTensor(Tensor(zeros: [network.layers[index].weightShape.rows]), as: .f32)
    views.append(TensorView("\(name).\(Full.biasDifference)", change, from: path))
    try AdapterWriter.write(views, metadata: [:], to: path)
    let notices = try network.load(AdapterFile(opening: path), layout: AdapterNetworkTests.layout)
    #expect(
      notices == [
        "\(path): 1 of its tensors change biases and are left out, first '\(name).diff_b'; "
          + "'algo=full' alone trains them"
      ])
  }

  /// What did not change of a normalization layer is not in an extracted file.
  @Test(arguments: [Norm.difference, Norm.biasDifference])
  func halvesOfNormsCount(missing: String) throws {
    let folder = TemporaryFolder()
    let path = folder.file("adapter.safetensors")
    let layout = AdapterNetworkTests.layout
    let network = try AdapterNetworkTests.network("train_norm=True")
    let views = network.tensors(as: .f32).filter { !$0.name.hasSuffix(".\(missing)") }
      .map { TensorView($0.name, $0.tensor, from: path) }
    try AdapterWriter.write(views, metadata: [:], to: path)
    let other = try AdapterNetworkTests.network("train_norm=True", seed: 5)
    #expect(try other.load(AdapterFile(opening: path), layout: layout).isEmpty)
    let (before, after) = (network.tensors(as: .f32), other.tensors(as: .f32))
    for (a, b) in zip(before, after) {
      let values = a.tensor.decoded()
      let expected = a.name.hasSuffix(".\(missing)") ? Tensor(zeros: values.shape) : values
      #expect(b.tensor.decoded() == expected, "\(a.name)")
    }
    #expect(before.contains { $0.name.hasSuffix(".\(missing)") })
  }

  /// A file that does not fit is refused before there is a network.
  @Test(arguments: ["lora", "loha", "lokr", "glora", "diag-oft", "dylora", "tlora", "full"])
  func plansRefuseFilesThatDoNotFit(algorithm: String) throws {
    let folder = TemporaryFolder()
    let path = folder.file("adapter.safetensors")
    func network(_ algorithm: String, rank: Int) throws -> AdapterNetwork {
      try AdapterNetworkTests.network("algo=\(algorithm)", "preset=attn-only") { $0.rank = rank }
    }
    let fitting = try network(algorithm, rank: 4)
    try write(fitting, as: .f32, to: path)
    let file = try AdapterFile(opening: path)
    func check(_ plan: NetworkPlan) throws {
      try FilePlacement(of: file, in: plan, AdapterNetworkTests.layout).check(plan)
    }
    try check(fitting.plan)
    if algorithm != "full" {
      // Diag-OFT's rank is that of blocks.
      let wide = try network(algorithm, rank: 8)
      #expect(throws: NetworkError.self) { try check(wide.plan) }
      #expect(throws: NetworkError.self) { try wide.load(file, layout: AdapterNetworkTests.layout) }
    }
    let other = try network(algorithm == "ia3" ? "lora" : "ia3", rank: 4)
    #expect(throws: NetworkError.self) { try check(other.plan) }
  }

  /// The rank with which users ask LoKr for whole factors is more than f16 can hold.
  @Test func alphasStayWhatTheyAre() throws {
    let network = try AdapterNetworkTests.network("algo=lokr") { $0.rank = 100_000 }
    let folder = TemporaryFolder()
    let path = folder.file("adapter.safetensors")
    try write(network, as: .f16, to: path)
    let file = try AdapterFile(opening: path)
    #expect(file.modules.allSatisfy { $0.alpha == 100_000 })
    #expect(file.modules.allSatisfy { Set($0.shapes.keys) == [LoKr.w1, LoKr.w2] })
    #expect(file.modules.allSatisfy { $0.views.values.allSatisfy { $0.dtype == .f16 } })
  }
}
