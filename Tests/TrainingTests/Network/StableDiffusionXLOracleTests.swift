import Autograd
import Checkpoints
import Foundation
import LinearAlgebra
import ModelFamilies
import OrderedCollections
import Safetensors
import Sampling
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import DiffusionModels
@testable import Pipelines
@testable import Training

/// A tiny model of Stable Diffusion XL, trained by sd-scripts' own code with `networks.lora`: text states, prediction,
/// losses of ten steps of AdamW, gradients of the first, and where the adapter is after them. See
/// Fixtures/README.md, training/oracles.
struct StableDiffusionXLOracleTests {
  /// Eight channels to a head everywhere, eight groups.
  static let configuration: StableDiffusionConfiguration = {
    var configuration = StableDiffusionConfiguration(of: .named("sdxl")!)
    configuration.unet = UNetConfiguration(heads: .width(8), groups: 8)
    for index in 0...1 { configuration.texts[index].heads = .width(8) }
    return configuration
  }()

  static let folder = Fixtures.path("training/oracles/sdxl")

  struct Golden: Decodable {
    let losses: [Double]
    let modules: Int
    let moved: Double
    let withoutGradient: [String]
    let otherLosses: [String: Double]?
  }

  let inputs: TensorFile
  let model: StableDiffusionModel

  init() throws {
    inputs = try TensorFile(opening: Self.folder.appending("golden_unet.safetensors.zst"))
    model = try StableDiffusionModel(
      opening: Self.folder.appending("model.safetensors.zst"), family: .named("sdxl"),
      configuration: Self.configuration)
  }

  private func input(_ name: String) throws -> Tensor {
    try #require(inputs.tensors["in." + name], "\(name)").tensor()
  }

  private var sizes: [PictureSize] {
    get throws {
      let (original, crop, target) = (
        try input("original_sizes_hw").elements.map { Int($0) },
        try input("crop_top_lefts").elements.map { Int($0) },
        try input("target_sizes_hw").elements.map { Int($0) }
      )
      return (0...1).map { i in
        PictureSize(
          originalHeight: original[2 * i], originalWidth: original[2 * i + 1],
          height: target[2 * i], width: target[2 * i + 1], cropTop: crop[2 * i],
          cropLeft: crop[2 * i + 1])
      }
    }
  }

  /// What both encoders say of the tokens of the golden, whose end mark is the last of the tiny vocabulary.
  private func encoded() throws -> [Variable] {
    let rows = try ["ids1", "ids2"].map { name in
      let ids = try input(name).elements.map { Int($0) }
      return [Array(ids[..<77]), Array(ids[77...])]
    }
    let states = model.textEncoders[1].penultimate(rows[1])
    let ends = rows[1].map { $0.firstIndex(of: 63) ?? 0 }
    return [
      model.textEncoders[0].penultimate(rows[0]), states,
      model.textEncoders[1].pooled(states, at: ends),
    ]
  }

  @Test func textIsThatOfSDScripts() throws {
    for (found, name) in zip(try encoded(), ["hidden_state1", "hidden_state2", "pool2"]) {
      let error = relativeError(found.value, try input(name))
      print(name, "relative error", error)
      // Sums of f32 in another order.
      #expect(error <= 1e-4, "\(name)")
    }
  }

  /// With text from caches, of the UNet alone; and with both text encoders trained.
  @Test(arguments: [false, true]) func trainsAsSDScripts(text: Bool) throws {
    let name = text ? "golden" : "golden_unet"
    let file = try TensorFile(opening: Self.folder.appending(name + ".safetensors.zst"))
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let golden = try decoder.decode(
      Golden.self,
      from: Data(contentsOf: URL(filePath: Self.folder.appending(name + ".json").string)))
    let network = try network(text: text)
    #expect(network.modules.count == golden.modules)
    let (latents, noises, times) = (
      model.family.commonLatents.scaled(try input("latents").channelsLast(perSample: true)),
      try input("noise"),
      try input("t").elements.map { Int($0) }
    )
    let kept = try ["hidden_state1", "hidden_state2", "pool2"].map { Variable(try input($0)) }
    let schedule = NoiseSchedule()
    var optimizer = AdamW(rate: 1e-3, decay: 0.01)
    let parameters = network.parameters
    let group = ParameterGroup(name: "all", parameters: parameters, rate: 1e-3)
    let start = parameters.map(\.value)
    var worst = (loss: 0.0, gradient: 0.0, prediction: 0.0)
    for (step, expected) in golden.losses.enumerated() {
      let noise = noises.rows(step..<step + 1).reshaped(try input("latents").shape)
        .channelsLast(perSample: true)
      let at = Array(times[2 * step..<2 * step + 2])
      let loss: Loss = try Recording().record {
        let condition = StableDiffusionXLPipeline.Condition(
          text ? try encoded() : kept, try sizes)
        let output = model.unet(
          Variable(schedule.noisy(latents, noise, at: at)), timesteps: at.map { Float($0) },
          context: condition.context, vector: condition.vector)
        if step == 0 {
          let pred = try #require(file.tensors["out.pred"]).tensor().channelsLast(perSample: true)
          worst.prediction = relativeError(output.value, pred)
        }
        let loss = LossSettings().loss(
          output, target: noise, timesteps: at, schedule, weights: [1, 1])
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
    #expect(worst.prediction <= 1e-5)
    #expect(worst.loss <= 1e-5)
    #expect(worst.gradient <= 1e-4)
    #expect(way <= 1e-3)
  }

  private func network(text: Bool) throws -> AdapterNetwork {
    var flags = NetworkSettings.Flags()
    flags.module = "networks.lora"
    flags.rank = 4
    flags.alpha = 2
    flags.trainsTextEncoders = text
    let plan = try NetworkPlan(
      modules: model.modules, family: model.family,
      settings: NetworkSettings(flags, NetworkArguments(parsing: [])))
    let network = try AdapterNetwork(plan, layers: model.layers, seed: 1)
    let name = text ? "adapter_init" : "adapter_init_unet"
    try network.load(
      AdapterFile(opening: Self.folder.appending(name + ".safetensors.zst")),
      layout: model.base.layout)
    return network
  }
}

extension Tensor {
  /// `[batch, channels, height, width]` as `[batch, height, width, channels]`.
  fileprivate func channelsLast(perSample: Bool) -> Tensor {
    let inner = Shape(Array(shape.dimensions.dropFirst()))
    return Tensor(
      stacking: (0..<shape.rows).map { rows($0..<$0 + 1).reshaped(inner).channelsLast() })
  }
}
