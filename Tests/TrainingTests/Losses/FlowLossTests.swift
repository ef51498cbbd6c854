import Autograd
import Foundation
import ModelFamilies
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Pipelines
@testable import Training

/// Losses of one batch under other settings, as sd-scripts' own code gives them for what a tiny Flux.1 predicts: see
/// Fixtures/README.md, training/oracles.
struct FlowLossTests {
  private struct Golden: Decodable {
    let otherLosses: [String: Double]
    let losses: [Double]
  }

  /// Sums of f32 in another order.
  private static let tolerance = 1e-6

  @Test(arguments: ["flux-dev", "flux-dev-masked", "flux-schnell"])
  func givesSdScriptsLosses(name: String) throws {
    let folder = Fixtures.path("training/oracles/\(name)")
    let file = try TensorFile(opening: folder.appending("golden.safetensors.zst"))
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let golden = try decoder.decode(
      Golden.self, from: Data(contentsOf: URL(filePath: folder.appending("golden.json").string)))
    func tensor(_ key: String) throws -> Tensor { try #require(file.tensors[key]).tensor() }
    // Elements are compared one by one, so channels may stay where they are.
    let latents = try tensor("in.latents")
    let noise = try tensor("in.noise").rows(0..<1).reshaped(latents.shape)
    let shares = try tensor("in.t").elements
    let moments = shares.prefix(2).map {
      FlowSettings.Moment(share: Double($0), time: Double($0 * 1000))
    }
    let prediction = Variable(try tensor("out.pred"))
    var worst = 0.0
    for (key, expected) in golden.otherLosses.merging(
      ["loss raw none": golden.losses[0]], uniquingKeysWith: { $1 })
    {
      let words = key.split(separator: " ").map(String.init)
      var (settings, loss) = (FlowSettings(), LossSettings())
      settings.rules = try #require(ModelFamily.named("flux")).flowRules()
      if words[2] == "exponential" {
        loss.kind = try LossSettings.kind(named: words[1])
        loss.huberSchedule = .exponential
      } else {
        settings.prediction = try #require(FlowPrediction(rawValue: words[1]))
        settings.weighting = try #require(FlowWeighting(rawValue: words[2]))
      }
      let objective = FlowObjective(
        settings: settings, loss: loss, offset: settings.rules.timeOffset, sampleCount: 2)
      let problem = FlowObjective.problem(latents, noise, moments, settings.prediction)
      let found = objective.loss(of: problem, prediction, weights: [1, 1], mask: nil)
      let error = abs(Double(found.total.value.elements[0]) - expected) / expected
      print(name, key, error)
      worst = max(worst, error)
    }
    #expect(worst <= Self.tolerance)
  }
}
