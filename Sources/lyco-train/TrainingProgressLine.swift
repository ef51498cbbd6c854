import CommandSupport
import Training

/// Says on standard error how a run gets on: one line that changes on a terminal, a line now and then
/// elsewhere.
final class TrainingProgressLine {
  private let isQuiet: Bool
  private let isTerminal = StandardError.isTerminal
  private var started = ContinuousClock.now
  private var first = 0
  private var lastWritten: ContinuousClock.Instant?
  private var isDrawn = false

  init(isQuiet: Bool) { self.isQuiet = isQuiet }

  var observer: TrainingObserver {
    var observer = TrainingObserver()
    observer.begin = { [self] in begin($0) }
    observer.progress = { [self] phase, done, total in
      switch phase {
      case .readingItems: draw("reading caches  \(done) / \(total)")
      case .encodingImages: draw("encoding images  \(done) / \(total)")
      case .encodingCaptions: draw("encoding captions  \(done) / \(total)")
      case .loading, .training: break
      }
    }
    observer.stepped = { [self] step in
      draw(text(step), isLast: step.number == step.count)
    }
    observer.drawing = { [self] drawing in
      draw(
        "drawing samples  picture \(drawing.picture) / \(drawing.pictureCount)  "
          + "step \(drawing.step) / \(drawing.stepCount)")
    }
    observer.sampled = { [self] in say("drew \($0)") }
    observer.validated = { [self] step, loss in
      say("step \(step): loss of images held out \(RunSummary.rounded(loss, 5))")
    }
    observer.saved = { [self] in say("saved \($0)") }
    observer.note = { [self] in say("note: \($0)") }
    return observer
  }

  func finish() {
    if isDrawn { StandardError.write("\r\u{1B}[K") }
    isDrawn = false
  }

  private func begin(_ phase: TrainingObserver.Phase) {
    switch phase {
    case .loading: draw("reading the checkpoint")
    case .training(let from, _):
      (started, first, lastWritten) = (.now, from, nil)
    case .readingItems, .encodingImages, .encodingCaptions: break
    }
  }

  /// `epoch 2  step 41 / 500  loss 0.0912  lr 1e-04  2.31 s/step  17 min 40 s left`
  private func text(_ step: TrainingObserver.Step) -> String {
    let seconds =
      (ContinuousClock.now - started) / .seconds(1) / Double(max(step.number - first, 1))
    let parts = [
      "epoch \(step.epoch)", "step \(step.number) / \(step.count)",
      "loss \(RunSummary.rounded(step.averageLoss, 5))", "lr \(Float(step.rate))",
      "\(RunSummary.rounded(seconds, 2)) s/step",
      "\(RunSummary.duration(seconds * Double(step.count - step.number))) left",
    ]
    return ProgressLine.fitted(
      parts, from: 3, to: Terminal.errorWidth.map { $0 - 1 } ?? .max)
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

  private func say(_ line: String) {
    guard !isQuiet else { return }
    finish()
    StandardError.say(line)
  }
}
