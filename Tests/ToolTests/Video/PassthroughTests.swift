import Foundation
import Tensors
import TestSupport
import Testing

/// Models whose prediction is the mixture over its share of noise, x_t / t: what is left of the loss is mean(x₀²) / t²,
/// whatever the noise. It is so only if noise is the same in mixture and target, in the share that the options say, with
/// latents read, scaled, cut into patches and joined again in the right order.
@Suite(.serialized) struct PassthroughTests {
  struct Case: CustomTestStringConvertible {
    let family: VideoModel.Family
    var seesPicture = false
    let arguments: String
    /// The share of noise.
    let share: Double

    var testDescription: String { "\(family)\(seesPicture ? " of a picture" : "") \(arguments)" }

    private static let still = "--sigmoid_scale 0 --timestep_sampling"
    private static func shift(
      _ a: (tokens: Double, mean: Double), _ b: (tokens: Double, mean: Double),
      of family: VideoModel.Family
    ) -> Double {
      let mean = a.mean + (b.mean - a.mean) / (b.tokens - a.tokens) * (family.tokens - a.tokens)
      return exp(mean) / (1 + exp(mean))
    }

    static let all =
      VideoModel.Family.allCases.flatMap { family in
        [
          Case(
            family: family,
            arguments: "--timestep_sampling uniform --min_timestep 500 --max_timestep 500",
            share: 0.5),
          Case(
            family: family,
            arguments: "--timestep_sampling sigma --min_timestep 300 --max_timestep 300",
            share: 0.3),
          Case(
            family: family, arguments: "\(still) shift --discrete_flow_shift 7.0", share: 7.0 / 8),
        ]
      } + [
        Case(family: .wan, arguments: "\(still) sigmoid", share: 0.5),
        Case(
          family: .wan, arguments: "\(still) flux_shift",
          share: shift((256, 0.5), (4096, 1.15), of: .wan)),
        Case(
          family: .hunyuanVideo, arguments: "\(still) qwen_shift",
          share: shift((256, 0.5), (8192, 0.9), of: .hunyuanVideo)),
        Case(
          family: .qwenImage, arguments: "\(still) qwen_shift",
          share: shift((256, 0.5), (8192, 0.9), of: .qwenImage)),
        Case(
          family: .wan, seesPicture: true,
          arguments: "--timestep_sampling uniform --min_timestep 500 --max_timestep 500", share: 0.5
        ),
      ]
  }

  /// The mean of the squares of what is trained: musubi-tuner multiplies latents of HunyuanVideo where it trains, in
  /// the f16 of its caches, and none of Wan.
  private static func meanSquare(_ latents: Tensor, _ family: VideoModel.Family) -> Double {
    let sum = latents.elements.reduce(0.0) { sum, x in
      let value = family == .hunyuanVideo ? Double(Float16(x * 0.476986)) : Double(x)
      return sum + value * value
    }
    return sum / Double(latents.count)
  }

  @Test(arguments: Case.all) func leavesTheLatents(_ test: Case) throws {
    let run = try VideoRun(test.family, seesPicture: test.seesPicture)
    var model = try VideoModel(test.family, knownChannels: test.seesPicture ? 20 : 0)
    model.pass(times: Float(1 / test.share))
    let expected = try run.cached("latents").map {
      Self.meanSquare($0, test.family) / (test.share * test.share)
    }.sorted()
    for seed in ["1", "2"] {
      let losses = try run.losses(
        of: model, test.arguments.split(separator: " ").map(String.init) + ["--seed", seed])
      for (loss, expected) in zip(losses.sorted(), expected) {
        #expect(abs(loss / expected - 1) <= 1e-5, "\(loss), expected \(expected)")
      }
    }
  }

  /// A model that sees a picture passes its latents, behind four channels that say where it is, loudly on.
  @Test func showsThePicture() throws {
    let run = try VideoRun(.wan, seesPicture: true)
    var model = try VideoModel(.wan, knownChannels: 20)
    let loudness: Float = 1e6
    model.pass(channelsFrom: 20, times: loudness)
    let losses = try run.losses(of: model, ["--timestep_sampling", "shift"])
    let expected = try run.cached("latents_image").map { image in
      // Channels come first, the mask before them.
      let count = image.count / 20
      return image.elements[4 * count..<20 * count].reduce(0.0) { $0 + Double($1) * Double($1) }
        / Double(16 * count) * Double(loudness) * Double(loudness)
    }
    for (loss, expected) in zip(losses.sorted(), expected.sorted()) {
      // The target is a millionth of it.
      #expect(abs(loss / expected - 1) <= 1e-5, "\(loss), expected \(expected)")
    }
  }
}
