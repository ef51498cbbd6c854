import Foundation
import TestSupport
import Testing

/// Models whose loss tells what they are told: each option of times and weights, seen through the table of losses.
@Suite(.serialized) struct TimeProbeTests {
  private static func words(_ line: String) -> [String] {
    line.split(separator: " ").map(String.init)
  }

  private static func times(
    _ family: VideoModel.Family, steps: Int = 2, _ arguments: String, datasets: String = ""
  ) throws -> [Double] {
    let run = try VideoRun(family)
    try run.writeDatasets(datasets)
    var model = try VideoModel(family)
    model.tell(.time)
    return try run.losses(of: model, steps: steps, words(arguments)).map { model.time(ofLoss: $0) }
  }

  /// 1000 t + 1 for a share that is drawn, the timestep itself for `sigma`.
  @Test(
    arguments: [
      (.wan, "uniform --min_timestep 500 --max_timestep 500", 501.0),
      (.wan, "uniform --min_timestep 10 --max_timestep 10", 11),
      (.hunyuanVideo, "uniform --min_timestep 1000 --max_timestep 1000", 1001),
      (.wan, "sigma --min_timestep 200 --max_timestep 200", 200),
      (.wan, "sigmoid --sigmoid_scale 0", 501),
      (.qwenImage, "uniform --min_timestep 300 --max_timestep 300", 301),
      (.hunyuanVideo, "shift --discrete_flow_shift 3 --sigmoid_scale 0", 751),
      (
        .hunyuanVideo,
        "shift --discrete_flow_shift 7 --sigmoid_scale 0 --min_timestep 200 --max_timestep 700",
        638.5
      ),
      (
        .wan,
        "shift --discrete_flow_shift 7 --sigmoid_scale 0 --min_timestep 800 --max_timestep 900 "
          + "--preserve_distribution_shape", 876
      ),
      // A frame has 24 latents, which flux2_shift counts, in 6 tokens, which krea2_shift does.
      (.wan, "flux2_shift --sigmoid_scale 0", 1000 / (1 + exp(-(0.5 - 0.65 / 3840 * 232))) + 1),
      (.wan, "krea2_shift --sigmoid_scale 0", 1000 / (1 + exp(-(0.5 - 0.65 / 6144 * 250))) + 1),
      (.wan, "logsnr --logit_mean 2 --logit_std 1e-9", 1000 / (1 + exp(1.0)) + 1),
    ] as [(VideoModel.Family, String, Double)])
  func tellsTheTime(family: VideoModel.Family, arguments: String, expected: Double) throws {
    for time in try Self.times(family, "--timestep_sampling " + arguments) {
      // The loss is a sum of f32, the target in it a millionth.
      #expect(abs(time - expected) <= 0.02, "\(time)")
    }
  }

  @Test(arguments: [
    ("--timestep_sampling uniform --min_timestep 200 --max_timestep 700", 201.0...701.0),
    ("--timestep_sampling sigma --min_timestep 200 --max_timestep 700", 200.0...700.0),
    (
      "--timestep_sampling sigmoid --preserve_distribution_shape --min_timestep 600 --max_timestep 800",
      601.0...801.0
    ),
  ])
  func staysInTheRange(arguments: String, range: ClosedRange<Double>) throws {
    let times = try Self.times(.wan, steps: 24, arguments)
    let (least, most) = (times.min() ?? 0, times.max() ?? 0)
    #expect(least >= range.lowerBound - 0.02 && most <= range.upperBound + 0.02, "\(times)")
    // Of 24 even draws, half of the range is left out with a chance below 1e-5.
    #expect(most - least > (range.upperBound - range.lowerBound) / 2, "\(times)")
  }

  /// Each epoch has one sample in each of four parts.
  @Test func drawsFromAllParts() throws {
    let times = try Self.times(
      .wan, steps: 12, "--timestep_sampling uniform --num_timestep_buckets 4",
      datasets: "num_repeats = 2")
    for epoch in stride(from: 0, to: 12, by: 4) {
      let parts = times[epoch..<epoch + 4].map { Int(($0 - 1) / 250) }
      #expect(parts.sorted() == [0, 1, 2, 3], "\(times)")
    }
  }

  /// The weight of a loss is that of the nearest whole timestep to 1000 t + 1, as musubi-tuner's own run gave it
  /// (f32 of its scheduler, five digits).
  @Test(arguments: [
    ("sigma_sqrt", 200, 24.75), ("sigma_sqrt", 500, 3.984), ("sigma_sqrt", 800, 1.5586),
    ("cosmap", 200, 0.93786), ("cosmap", 500, 1.27323), ("cosmap", 800, 0.93455),
    ("none", 500, 1), ("logit_normal", 500, 1), ("mode", 500, 1),
  ])
  func weighsTheLoss(scheme: String, time: Int, weight: Double) throws {
    let run = try VideoRun(.wan)
    var model = try VideoModel(.wan)
    model.predict(VideoModel.loudness)
    let losses = try run.losses(
      of: model,
      Self.words(
        "--timestep_sampling uniform --min_timestep \(time) --max_timestep \(time) "
          + "--weighting_scheme \(scheme)"))
    let unweighted = Double(VideoModel.loudness) * Double(VideoModel.loudness)
    for loss in losses {
      #expect(abs(loss / unweighted / weight - 1) <= 1e-4, "\(loss / unweighted)")
    }
  }

  /// HunyuanVideo is told 1 in training, as musubi-tuner does, or what is asked for; a thousandfold never.
  @Test(arguments: [("", 1.0), ("--guidance_scale 1.5", 1.5)])
  func tellsTheGuidance(arguments: String, guidance: Double) throws {
    let run = try VideoRun(.hunyuanVideo)
    var model = try VideoModel(.hunyuanVideo)
    model.tell(.guidance)
    let expected = model.answer(toGuidance: guidance)
    for loss in try run.losses(of: model, Self.words(arguments)) {
      #expect(abs(loss.squareRoot() / expected - 1) <= 1e-5, "\(loss)")
    }
  }
}
