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
    let otherLosses: [String: Double]
    let names: [String]
    let withoutGradient: [String]
  }

  static let names = ["sd3-medium", "sd35-medium"]

  private let file: TensorFile
  private let golden: Golden
  /// With the datasets, times and losses of sd-scripts' trainer.
  private let plan: TrainingPlan
  private let pipeline: StableDiffusion3Pipeline
  private let network: AdapterNetwork
  private let condition: StableDiffusion3Pipeline.Condition
  /// As the transformer sees them.
  private let latents: Tensor

  private init(_ name: String) throws {
    let folder = Fixtures.path("training/oracles/\(name)")
    file = try TensorFile(opening: folder.appending("golden.safetensors.zst"))
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    golden = try decoder.decode(
      Golden.self, from: Data(contentsOf: URL(filePath: folder.appending("golden.json").string)))
    let temporary = TemporaryFolder()
    plan = try TrainingPlan(StableDiffusion3Run.configuration(name, batch: 2, in: temporary))
    pipeline = try StableDiffusion3Pipeline(
      plan.base, plan.configuration.model, checkpointsBlocks: false)
    network = try Self.network(plan.base, pipeline.layers, folder)
    let batch = try StableDiffusion3Run.batch(of: plan)
    condition = pipeline.condition(kept: try #require(batch.kept), batch.sizes)
    guard case .latents(let kept) = batch.content else {
      preconditionFailure("latents are kept")
    }
    latents = plan.outline.latents.scaled(kept)
  }

  private func stored(_ name: String) throws -> Tensor {
    let tensor = try #require(file.tensors[name], "\(name)").tensor()
    return tensor.shape.dimensions.count == 4 ? tensor.samplesChannelsLast : tensor
  }

  /// The batch of a step.
  /// - Parameter shift: of the densities that are drawn, as `--training_shift` shifts them.
  private func problem(_ step: Int, shift: Float = 1) throws -> Problem {
    let noises = try stored("in.noise")
    let noise = noises.rows(step..<step + 1)
      .reshaped(Shape(Array(noises.shape.dimensions.dropFirst()))).samplesChannelsLast
    let densities = try stored("in.t").elements[2 * step..<2 * step + 2]
    return FlowObjective.problem(
      latents, noise,
      densities.map { u in
        let time = Double((shift * u / (1 + (shift - 1) * u) * 1000).rounded(.down))
        return FlowSettings.Moment(share: time / 1000, time: time)
      })
  }

  /// sd-scripts compares clean latents, x₀ = xₜ − σ v: the error of the flow, times σ.
  @Test(arguments: names) static func trainsAsSDScripts(_ name: String) throws {
    let oracle = try Self(name)
    let (file, golden, network) = (oracle.file, oracle.golden, oracle.network)
    #expect(network.modules.map(\.plan.module.adapterName).sorted() == golden.names.sorted())
    let objective = oracle.plan.objective
    var optimizer = AdamW(rate: 1e-3, decay: 0.01)
    let parameters = network.parameters
    let group = ParameterGroup(name: "all", parameters: parameters, rate: 1e-3)
    let start = parameters.map(\.value)
    var worst = (loss: 0.0, gradient: 0.0, prediction: 0.0, target: 0.0)
    for (step, expected) in golden.losses.enumerated() {
      let problem = try oracle.problem(step)
      let loss: Loss = try Recording().record {
        let output = oracle.pipeline.predict(
          Variable(problem.input), at: problem.times, oracle.condition)
        if step == 0 {
          #expect(try oracle.stored("out.timesteps").elements == problem.times)
          worst.prediction = relativeError(
            Self.clean(output.value, problem), try oracle.stored("out.pred"))
          worst.target = relativeError(oracle.latents, try oracle.stored("out.target"))
        }
        let loss = objective.loss(of: problem, output, weights: [1, 1], mask: nil)
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

  /// The first batch under other weights, losses and shifts.
  @Test(arguments: names) static func otherLosses(_ name: String) throws {
    let oracle = try Self(name)
    var worst = 0.0
    #expect(oracle.golden.otherLosses.count == 7)
    for (key, expected) in oracle.golden.otherLosses {
      let words = key.split(separator: " ").map(String.init)
      var (settings, loss) = (oracle.plan.configuration.flow, LossSettings())
      var shift: Float = 1
      if words[1] == "shift" {
        shift = try #require(Float(words[2]))
      } else if words.count > 2 {
        loss.kind = try LossSettings.kind(named: words[1])
        loss.huberSchedule = try LossSettings.huberSchedule(named: words[2])
      } else {
        settings.weighting = try #require(FlowWeighting(rawValue: words[1]))
      }
      let problem = try oracle.problem(0, shift: shift)
      let prediction = oracle.pipeline.predict(
        Variable(problem.input), at: problem.times, oracle.condition)
      let objective = FlowObjective(settings: settings, loss: loss, offset: 0, sampleCount: 2)
      let found = objective.loss(of: problem, prediction, weights: [1, 1], mask: nil)
      let error = abs(Double(found.total.value.elements[0]) - expected) / expected
      print(name, key, error)
      worst = max(worst, error)
    }
    #expect(worst <= 1e-5)
  }

  /// xₜ − σ v
  private static func clean(_ flow: Tensor, _ problem: Problem) -> Tensor {
    let width = flow.count / problem.times.count
    return Tensor(
      flow.shape,
      flow.elements.indices.map { i in
        problem.input.elements[i] - problem.times[i / width] / 1000 * flow.elements[i]
      })
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
