import Checkpoints
import CommandSupport
import ModelFamilies
import Operations
import Pipelines
import Safetensors
import Sampling
import SystemPackage

/// What the tool says of pictures, before and after they are drawn.
struct SamplingSummary {
  let isQuiet: Bool
  let asJSON: Bool

  /// What would be drawn.
  func print(_ plan: SamplingPlan) {
    var report = SamplingReport(seed: plan.seed)
    for variant in plan.variants {
      report.pictures += plan.pictures.map {
        SamplingReport.Picture($0, nil, variant: variant.label)
      }
    }
    if asJSON { return StandardOutput.write(report.json) }
    StandardOutput.say("\(plan.base.file.path): \(plan.base.layout.family.title)")
    for variant in plan.variants where !variant.adapters.isEmpty {
      StandardOutput.say("with " + variant.adapters.map(Self.text).joined(separator: ", "))
    }
    for picture in plan.pictures { StandardOutput.say(Self.text(picture)) }
  }

  func print(_ report: SamplingReport) {
    if asJSON { return StandardOutput.write(report.json) }
    guard !isQuiet else { return }
    let count = report.pictures.count
    let files = report.pictures.compactMap(\.file)
    let places =
      (files.count > 1 ? ["\(files[0]) to \(files[files.count - 1])"] : files)
      + [report.grid].compactMap(\.self)
    StandardOutput.say(
      "\(places.joined(separator: ", ")): \(count) \(count == 1 ? "picture" : "pictures"), seed "
        + "\(report.pictures.first?.seed ?? report.seed), "
        + "\((report.seconds / Double(max(count, 1))).formatted(decimals: 1)) s each")
  }

  private static func text(_ adapter: MergedAdapter) -> String {
    adapter.denoiserRatio == adapter.textRatio
      ? "\(adapter.path) at \(adapter.denoiserRatio)"
      : "\(adapter.path) at \(adapter.denoiserRatio), text encoders \(adapter.textRatio)"
  }

  private static func text(_ picture: PictureRequest) -> String {
    "\(picture.width)x\(picture.height), \(picture.sampler.title), \(picture.steps) steps, scale "
      + "\(Float(picture.scale)), "
      + (picture.guidance.map { "guidance \(Float($0)), " } ?? "")
      + "seed \(picture.seed): \(picture.prompt)"
      + (picture.isGuided && !picture.negative.isEmpty ? " | away from: \(picture.negative)" : "")
  }
}
