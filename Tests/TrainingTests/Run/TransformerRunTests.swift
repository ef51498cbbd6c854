import Checkpoints
import Foundation
import LinearAlgebra
import ModelFamilies
import OrderedCollections
import Pipelines
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Training

/// Transformers in diffusers' layout, recognized by their graphs, on caches that musubi-tuner wrote.
struct TransformerRunTests {
  struct Run: CustomTestStringConvertible, Sendable {
    let base: String
    let caches: String
    let module: String
    /// Modules in the file, and one of them.
    let modules: Int
    let name: String
    var testDescription: String { base }

    static let all = [
      // Two blocks of ten layers, twelve where a picture is seen.
      Run(
        base: "wan-t2v", caches: "wan-t2v", module: "networks.lora_wan", modules: 20,
        name: "lora_unet_blocks_1_cross_attn_o"),
      Run(
        base: "wan-i2v", caches: "wan-i2v", module: "networks.lora_wan", modules: 24,
        name: "lora_unet_blocks_0_cross_attn_k_img"),
      // Twelve layers of a double block, five of each single block; no modulation.
      Run(
        base: "hunyuan-video", caches: "hunyuan-video", module: "networks.lora", modules: 22,
        name: "lora_transformer_transformer_blocks_0_attn_add_k_proj"),
    ]

    func configuration(
      _ path: FilePath, in folder: borrowing TemporaryFolder, name: String
    ) throws -> TrainingConfiguration {
      let data = Fixtures.path("training/\(caches)-oracle")
      let text = String(
        decoding: try contents(of: data.appending("dataset.toml")), as: UTF8.self
      ).replacingOccurrences(of: "\"cache\"", with: "\"\(data.appending("cache"))\"")
      var configuration = TrainingConfiguration(
        model: ModelSettings(base: path), output: .init(folder: folder.path, name: name))
      configuration.images.configuration = try folder.write("\(name).toml", text: text)
      configuration.network.flags.module = module
      configuration.network.flags.rank = 2
      configuration.optimizer = "AdamW"
      configuration.rates.common = 1e-2
      configuration.run.steps = 3
      configuration.run.seed = 5
      configuration.run.threads = 1
      return configuration
    }
  }

  @Test(arguments: Run.all) func trainsFromDiffusersLayout(_ run: Run) throws {
    let folder = TemporaryFolder()
    let path = Fixtures.path("training/transformers/\(run.base)")
    let plan = try TrainingPlan(try run.configuration(path, in: folder, name: "adapter"))
    #expect(plan.base.layout.family.name == (run.base == "hunyuan-video" ? run.base : "wan"))
    #expect(plan.network.modules.count == run.modules)
    let losses = Losses()
    let report = try plan.train(observer: losses.observer)
    #expect(losses.values.count == 3 && report.steps == 3)
    let file = try TensorFile(opening: report.output)
    #expect(file.tensors.keys.count { $0.hasSuffix(".alpha") } == run.modules)
    let up = try #require(file.tensors["\(run.name).lora_up.weight"]).tensor()
    #expect(up.elements.allSatisfy(\.isFinite) && up.sumOfSquares > 0)
  }

  /// The first step is that of the same weights by native names: an adapter begins with no effect, and noise does not
  /// depend on names. Products of fused layers are summed in another order.
  @Test func bothSpellingsBeginAlike() throws {
    let run = Run.all[2]
    let folder = TemporaryFolder()
    let paths = ["", ".native.safetensors.zst"].map {
      Fixtures.path("training/transformers/\(run.base)\($0)")
    }
    let losses = try paths.enumerated().map { index, path in
      let losses = Losses()
      let configuration = try run.configuration(path, in: folder, name: "adapter\(index)")
      _ = try TrainingPlan(configuration).train(observer: losses.observer)
      return losses.values
    }
    #expect(abs(losses[0][0] - losses[1][0]) <= 1e-6 * losses[0][0])
    // Fused layers have one down factor for queries, keys and values, so later steps differ.
    #expect(losses[0][2] != losses[1][2])
  }

  /// The average losses of a run.
  private final class Losses {
    private(set) var values: [Double] = []
    var observer: TrainingObserver {
      var observer = TrainingObserver()
      observer.stepped = { [self] in values.append($0.averageLoss) }
      return observer
    }
  }
}
