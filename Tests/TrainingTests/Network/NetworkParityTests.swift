import Autograd
import Checkpoints
import DiffusionModels
import Foundation
import LinearAlgebra
import ModelFamilies
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Pipelines
@testable import Training

/// Whole networks in the tiny pipeline, UNet and text encoder, against LyCORIS' kohya network on diffusers and
/// transformers: loss, every gradient, and every parameter after ten steps of AdamW. See
/// scripts/fixtures/training/make-network-fixtures.py. Sums of f32 in another order leave some 1e-6.
struct NetworkParityTests {
  struct Golden: Decodable {
    let rate: Float
    let decay: Float
    let unetNames: [String]
    let textNames: [String]
    let cases: [Case]
  }

  /// The tiny pipelines that networks were trained in, with the names of the golden's files.
  enum Pipeline: String, CaseIterable {
    case sd1 = "networks"
    case sdxl = "networks-sdxl"

    var model: StableDiffusionModel {
      get throws {
        try StableDiffusionModel(
          opening: Fixtures.path("training/models/\(self == .sd1 ? "tiny-sd1" : "tiny-sdxl")"))
      }
    }

    var file: TensorFile {
      get throws {
        let ending = self == .sd1 ? "safetensors" : "safetensors.zst"
        return try TensorFile(opening: Fixtures.path("training/network/\(rawValue).\(ending)"))
      }
    }

    var golden: Golden {
      let path = Fixtures.path("training/network/\(rawValue).json").string
      return try! JSONDecoder().decode(Golden.self, from: Data(contentsOf: URL(filePath: path)))
    }
  }

  struct Case: Decodable, Sendable, CustomTestStringConvertible {
    let name: String
    let rank: Int
    let losses: [Double]
    let modules: Int
    let arguments: [String]
    var testDescription: String { name }
  }

  @Test(arguments: Pipeline.sd1.golden.cases) func sameAsLyCORIS(test: Case) throws {
    try check(test, in: .sd1)
  }

  @Test(arguments: Pipeline.sdxl.golden.cases) func sameAsLyCORISInXL(test: Case) throws {
    try check(test, in: .sdxl)
  }

  /// The end of a text in the tiny vocabulary.
  private static let end = 119

  private func check(_ test: Case, in pipeline: Pipeline) throws {
    let (file, golden) = (try pipeline.file, pipeline.golden)
    func stored(_ key: String) throws -> Tensor {
      try #require(file.tensors[key], "\(key)").tensor()
    }
    let model = try pipeline.model
    let network = try Self.network(test, golden, model)
    #expect(network.modules.count == test.modules)
    let parameters = network.parameters
    #expect(
      Set(parameters.map { "\(test.name)/start.\($0.name)" })
        == Set(file.tensors.keys.filter { $0.hasPrefix("\(test.name)/start.") }))
    for parameter in parameters {
      parameter.value = try stored("\(test.name)/start.\(parameter.name)")
        .reshaped(parameter.value.shape)
    }
    let (latents, noise) = (try stored("latents"), try stored("noise"))
    let timesteps = try stored("timesteps").elements
    let tokens = try stored("tokens").elements.map { Int($0) }
    let (others, sizes) =
      try pipeline == .sd1
      ? ([], nil)
      : (
        stored("tokens_2").elements.map { Int($0) }, Self.size(stored("sizes").elements)
      )
    var optimizer = AdamW(rate: golden.rate, decay: golden.decay)
    var worst: (loss: Double, gradient: Double, cosine: Double, end: Double) = (0, 0, 1, 0)
    var worstName = ""
    var roundedOff: Set<String> = []
    for (step, expected) in test.losses.enumerated() {
      let loss: Double = Recording().record {
        let output: Variable
        if let sizes {
          let (states, pooled) = model.textEncoders[1].encodeWithPooled([[others]], end: Self.end)
          let condition = StableDiffusionXLPipeline.Condition(
            [model.textEncoders[0].encodePenultimate([[tokens]]), states, pooled], [sizes])
          output = model.unet(
            Variable(latents), timesteps: timesteps, context: condition.context,
            vector: condition.vector)
        } else {
          output = model.unet(
            Variable(latents), timesteps: timesteps,
            context: model.textEncoders[0]([tokens], clipSkip: 1))
        }
        let difference = output.value.adding(noise, times: -1)
        output.backpropagate(difference * (2 / Float(difference.count)))
        return difference.sumOfSquares / Double(difference.count)
      }
      worst.loss = max(worst.loss, abs(loss - expected) / expected)
      if step == 0 {
        for module in network.modules {
          let goldens = try module.factors.all.map {
            try stored("\(test.name)/gradient.\($0.name)")
          }
          let largest = goldens.map(\.sumOfSquares).max() ?? 0
          for (parameter, golden) in zip(module.factors.all, goldens) {
            let gradient = try #require(parameter.gradient, "\(parameter.name)")
            // Blocks of one output have no rotation.
            if golden.sumOfSquares == 0 {
              #expect(gradient.sumOfSquares == 0, "\(parameter.name)")
              continue
            }
            // A bias of keys moves all scores of a row alike: what is there is rounding.
            if golden.sumOfSquares < 1e-10 * largest {
              roundedOff.insert(parameter.name)
              continue
            }
            let error = gradient.relativeError(to: golden)
            if error > worst.gradient { (worst.gradient, worstName) = (error, parameter.name) }
            let dot = gradient.rowProducts(with: golden.reshaped(gradient.shape)).reduce(0, +)
            worst.cosine = min(
              worst.cosine, dot / (gradient.sumOfSquares * golden.sumOfSquares).squareRoot())
          }
        }
      }
      optimizer.step(parameters)
    }
    for parameter in parameters where !roundedOff.contains(parameter.name) {
      let end = try stored("\(test.name)/end.\(parameter.name)")
      worst.end = max(worst.end, parameter.value.relativeError(to: end))
    }
    print(test.name, worst, worstName)
    #expect(roundedOff.allSatisfy { $0.hasSuffix("k_proj.bias") })
    #expect(worst.loss <= 1e-5)
    #expect(worst.gradient <= 1e-4, "\(worstName)")
    #expect(worst.cosine > 0.99999)
    #expect(worst.end <= 1e-4)
  }

  /// Of numbers as the golden has them: original height and width, crop top and left, height and width.
  private static func size(_ numbers: [Float]) -> PictureSize {
    let n = numbers.map { Int($0) }
    return PictureSize(
      originalHeight: n[0], originalWidth: n[1], height: n[4], width: n[5], cropTop: n[2],
      cropLeft: n[3])
  }

  private static func network(
    _ test: Case, _ golden: Golden, _ model: StableDiffusionModel
  ) throws -> AdapterNetwork {
    let folder = TemporaryFolder()
    let path = folder.file("preset.toml")
    func list(_ names: [String]) -> String { names.map { "'\($0)'" }.joined(separator: ", ") }
    // LyCORIS has no T-LoRA for kernels.
    try """
    enable_conv = \(!test.arguments.contains("algo=tlora"))
    unet_target_name = [\(list(golden.unetNames))]
    text_encoder_target_name = [\(list(golden.textNames))]
    """.write(toFile: path.string, atomically: true, encoding: .utf8)
    var flags = NetworkSettings.Flags()
    flags.module = "lycoris.kohya"
    flags.rank = test.rank
    flags.alpha = 1
    let settings = try NetworkSettings(
      flags, NetworkArguments(parsing: test.arguments + ["preset=\(path.string)"]))
    let plan = try NetworkPlan(
      modules: model.modules, family: model.family, settings: settings)
    return try AdapterNetwork(plan, layers: model.layers, seed: 1)
  }
}
