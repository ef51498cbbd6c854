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

@testable import Pipelines
@testable import Training

/// Tiny models of Stable Diffusion 3 and 3.5 medium, trained by sd-scripts' own code with `networks.lora_sd3`:
/// prediction, target, losses of ten steps of AdamW, gradients of the first, and where the adapter is after them. See
/// Fixtures/README.md, training/oracles.
struct StableDiffusion3OracleTests {
  struct Golden: Decodable {
    let losses: [Double]
    let names: [String]
    let withoutGradient: [String]
  }

  private static func folder(_ name: String) -> FilePath {
    Fixtures.path("training/oracles/\(name)")
  }

  /// sd-scripts draws the place of a timestep among a thousand, and compares clean latents, x₀ = xₜ − σ v: that is the
  /// error of the flow, times σ.
  @Test(arguments: ["sd3-medium", "sd35-medium"]) func trainsAsSDScripts(_ name: String) throws {
    let folder = Self.folder(name)
    let file = try TensorFile(opening: folder.appending("golden.safetensors.zst"))
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let golden = try decoder.decode(
      Golden.self, from: Data(contentsOf: URL(filePath: folder.appending("golden.json").string)))
    let path = folder.appending("model.safetensors.zst")
    let base = try BaseModel(TensorFile(opening: path), as: .named("sd3"))
    let pipeline = try StableDiffusion3Pipeline(
      base, ModelSettings(base: path), checkpointsBlocks: false)
    let network = try Self.network(base, pipeline.layers, folder)
    #expect(network.modules.map(\.plan.module.adapterName).sorted() == golden.names.sorted())
    func input(_ name: String) throws -> Tensor {
      try #require(file.tensors["in." + name], "\(name)").tensor()
    }
    let raw = try input("latents")
    let latents = base.layout.family.commonLatents.scaled(raw.samplesChannelsLast)
    let texts = try ["lg_out", "t5_out", "lg_pooled"].enumerated().map {
      ($1, try input("text\($0)"))
    }
    let condition = pipeline.condition(
      kept: (0...1).map { item in
        Dictionary(
          uniqueKeysWithValues: texts.map { name, both in
            let inner = Shape(Array(both.shape.dimensions.dropFirst()))
            return (name, both.rows(item..<item + 1).reshaped(inner))
          })
      }, [])
    let (noises, densities) = (try input("noise"), try input("t").elements)
    let objective = FlowObjective(
      settings: FlowSettings(), loss: LossSettings(), offset: 0, sampleCount: 2)
    var optimizer = AdamW(rate: 1e-3, decay: 0.01)
    let parameters = network.parameters
    let group = ParameterGroup(name: "all", parameters: parameters, rate: 1e-3)
    let start = parameters.map(\.value)
    var worst = (loss: 0.0, gradient: 0.0, prediction: 0.0, target: 0.0)
    for (step, expected) in golden.losses.enumerated() {
      let noise = noises.rows(step..<step + 1).reshaped(raw.shape).samplesChannelsLast
      let shares = (0...1).map { (densities[2 * step + $0] * 1000).rounded(.down) / 1000 }
      let problem = FlowObjective.problem(
        latents, noise, shares.map { .init(share: Double($0), time: Double($0 * 1000).rounded()) })
      let loss: Loss = try Recording().record {
        let output = pipeline.predict(Variable(problem.input), at: problem.times, condition)
        if step == 0 {
          func out(_ name: String) throws -> Tensor {
            try #require(file.tensors["out." + name]).tensor().samplesChannelsLast
          }
          #expect(try #require(file.tensors["out.timesteps"]).tensor().elements == problem.times)
          let clean = Tensor(
            stacking: (0...1).map { i in
              func own(_ x: Tensor) -> Tensor {
                x.rows(i..<i + 1).reshaped(Shape(Array(x.shape.dimensions.dropFirst())))
              }
              return own(problem.input).adding(own(output.value), times: -shares[i])
            })
          worst.prediction = relativeError(clean, try out("pred"))
          worst.target = relativeError(latents, try out("target"))
        }
        let loss = objective.loss(
          of: problem, output, weights: shares.map { $0 * $0 }, mask: nil)
        loss.total.backpropagate()
        return loss
      }
      worst.loss = max(
        worst.loss, abs(Double(loss.total.value.elements[0]) - expected) / expected)
      if step == 0 {
        worst.gradient = try file.worstGradient(of: parameters, without: golden.withoutGradient)
      }
      _ = [group].clipGradients(to: 1)
      optimizer.step(parameters)
      [group].clearGradients()
    }
    let way = try file.missedWay(of: parameters, from: start)
    print(name, worst, "of the way gone", way)
    // Sums of f32 in another order.
    #expect(worst.target <= 1e-6)
    #expect(worst.prediction <= 1e-5)
    #expect(worst.loss <= 1e-5)
    #expect(worst.gradient <= 1e-4)
    #expect(way <= 1e-3)
  }

  private static func network(
    _ base: BaseModel, _ layers: [Layer], _ folder: FilePath
  ) throws -> AdapterNetwork {
    var flags = NetworkSettings.Flags()
    flags.module = "networks.lora_sd3"
    flags.rank = 4
    flags.alpha = 2
    let plan = try NetworkPlan(
      modules: base.layout.modules, family: base.layout.family,
      settings: NetworkSettings(flags, NetworkArguments(parsing: [])))
    let network = try AdapterNetwork(plan, layers: layers, seed: 1)
    try network.load(
      AdapterFile(opening: folder.appending("adapter_init.safetensors.zst")), layout: base.layout)
    return network
  }
}

extension Tensor {
  /// `[batch, channels, height, width]` as `[batch, height, width, channels]`.
  fileprivate var samplesChannelsLast: Tensor {
    let inner = Shape(Array(shape.dimensions.dropFirst()))
    return Tensor(
      stacking: (0..<shape.rows).map { rows($0..<$0 + 1).reshaped(inner).channelsLast() })
  }
}
