import CommandSupport
import Sampling
import SystemPackage

/// Says on standard error how drawing gets on.
final class SamplingProgressLine {
  private let line: StatusLine
  private let stream = ProgressStream.ofEnvironment()
  /// When the first picture was begun.
  private var started: ContinuousClock.Instant?

  init(isQuiet: Bool) { line = StatusLine(isQuiet: isQuiet) }

  func begin(_ phase: PictureObserver.Phase) {
    switch phase {
    case .readingTextEncoders: line.draw("reading the text encoders")
    case .encodingPrompts: line.draw("encoding prompts")
    case .readingDenoiser: line.draw("reading the denoiser")
    case .decoding: line.draw("decoding")
    case .drawing: started = started ?? .now
    }
  }

  /// `picture 2 / 4  step 7 / 20  1.31 s/step  0:17 left`
  func stepped(_ step: PictureObserver.Step) {
    let seconds = (ContinuousClock.now - (started ?? .now)) / .seconds(1) / max(step.share, 1e-9)
    let left = Int((seconds * (1 - step.share)).rounded(.up))
    let (minutes, rest) = left.quotientAndRemainder(dividingBy: 60)
    line.draw(
      [
        "picture \(step.picture) / \(step.pictureCount)", "step \(step.step) / \(step.stepCount)",
        "\((seconds * step.shareOfStep).formatted(decimals: 2)) s/step",
        "\(minutes):\(rest < 10 ? "0" : "")\(rest) left",
      ], from: 2, isLast: step.share == 1)
    stream?.write(
      ProgressRecord(
        "drawing", completed: step.share == 1 ? step.pictureCount : step.picture - 1,
        total: step.pictureCount, share: step.share))
  }

  func written(_ path: FilePath, seed: UInt64) { line.say("\(path): seed \(seed)") }

  func finish() { line.finish() }
}
