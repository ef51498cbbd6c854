import CommandSupport
import Sampling

/// Says on standard error how drawing gets on: one line that changes on a terminal, a line now and then elsewhere.
final class SamplingProgressLine {
  private let isQuiet: Bool
  private let isTerminal = StandardError.isTerminal
  /// When the first picture was begun.
  private var started: ContinuousClock.Instant?
  private var lastWritten: ContinuousClock.Instant?
  private var isDrawn = false

  init(isQuiet: Bool) { self.isQuiet = isQuiet }

  func begin(_ phase: PictureObserver.Phase) {
    switch phase {
    case .readingTextEncoders: draw("reading the text encoders")
    case .encodingPrompts: draw("encoding prompts")
    case .readingDenoiser: draw("reading the denoiser")
    case .decoding: draw("decoding")
    case .drawing: started = started ?? .now
    }
  }

  func stepped(_ step: PictureObserver.Step) {
    draw(text(step), isLast: step.share == 1)
  }

  func finish() {
    if isDrawn { StandardError.write("\r\u{1B}[K") }
    isDrawn = false
  }

  /// `picture 2 / 4  step 7 / 20  1.31 s/step  0:17 left`
  private func text(_ step: PictureObserver.Step) -> String {
    let seconds = (ContinuousClock.now - (started ?? .now)) / .seconds(1) / max(step.share, 1e-9)
    let left = Int((seconds * (1 - step.share)).rounded(.up))
    let (minutes, rest) = left.quotientAndRemainder(dividingBy: 60)
    return ProgressLine.fitted(
      Self.place(step) + [
        "\((seconds * step.shareOfStep).formatted(decimals: 2)) s/step",
        "\(minutes):\(rest < 10 ? "0" : "")\(rest) left",
      ], from: 2, to: Terminal.errorWidth.map { $0 - 1 } ?? .max)
  }

  private static func place(_ step: PictureObserver.Step) -> [String] {
    ["picture \(step.picture) / \(step.pictureCount)", "step \(step.step) / \(step.stepCount)"]
  }

  /// At most five times a second on a terminal, once in ten seconds elsewhere.
  private func draw(_ line: String, isLast: Bool = false) {
    guard !isQuiet else { return }
    let now = ContinuousClock.now
    let pause: Duration = isTerminal ? .milliseconds(200) : .seconds(10)
    if !isLast, let lastWritten, now - lastWritten < pause { return }
    lastWritten = now
    StandardError.write(isTerminal ? "\r\(line)\u{1B}[K" : line + "\n")
    isDrawn = isTerminal
  }
}
