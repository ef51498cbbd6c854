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

/// Parameters by learning rate, and bounds of norms.
extension AdapterNetworkTests {
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
    let plan = try Self.plan(arguments)
    let network = try AdapterNetwork(plan, layers: Self.layers(), seed: 1)
    for textEncoder in [1e-4, 0] {
      let groups = network.parameterGroups(unetRate: 1e-3, textEncoderRates: [textEncoder])
      #expect(
        plan.rates(unet: 1e-3, textEncoders: [textEncoder]) == Set(groups.map(\.rate)).sorted())
    }
  }

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
}
