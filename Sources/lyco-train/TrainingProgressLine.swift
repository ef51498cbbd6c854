import CommandSupport
import Training

/// Says on standard error how a run gets on.
final class TrainingProgressLine {
  private let line: StatusLine
  private let stream = ProgressStream.ofEnvironment()
  private var started = ContinuousClock.now
  private var first = 0

  init(isQuiet: Bool) { line = StatusLine(isQuiet: isQuiet) }

  var observer: TrainingObserver {
    var observer = TrainingObserver()
    observer.begin = { [self] in begin($0) }
    observer.progress = { [self] phase, done, total in
      let activity: String
      switch phase {
      case .readingItems: activity = "reading caches"
      case .encodingImages: activity = "encoding images"
      case .encodingCaptions: activity = "encoding captions"
      case .drawingLatents: activity = "drawing latents"
      case .loading, .training: return
      }
      line.draw("\(activity)  \(done) / \(total)")
      stream?.write(ProgressRecord(activity, completed: done, total: total))
    }
    observer.stepped = { [self] step in
      line.draw(parts(step), from: 3, isLast: step.number == step.count)
      stream?.write(
        ProgressRecord(
          "training", completed: step.number, total: step.count, epoch: step.epoch,
          loss: step.averageLoss, rate: step.rate))
    }
    observer.drawing = { [self] drawing in
      line.draw(
        "drawing samples  picture \(drawing.picture) / \(drawing.pictureCount)  "
          + "step \(drawing.step) / \(drawing.stepCount)")
    }
    observer.sampled = { [self] in line.say("drew \($0.path)") }
    observer.validated = { [self] step, loss in
      line.say("step \(step): loss of images held out \(RunSummary.rounded(loss, 5))")
    }
    observer.saved = { [self] in line.say("saved \($0)") }
    observer.note = { [self] in line.say("note: \($0)") }
    return observer
  }

  func finish() { line.finish() }

  private func begin(_ phase: TrainingObserver.Phase) {
    switch phase {
    case .loading: line.draw("reading the checkpoint")
    case .training(let from, _):
      (started, first) = (.now, from)
      line.hurry()
    case .readingItems, .encodingImages, .encodingCaptions, .drawingLatents: break
    }
  }

  /// `epoch 2  step 41 / 500  loss 0.0912  lr 1e-04  2.31 s/step  17 min 40 s left`
  private func parts(_ step: TrainingObserver.Step) -> [String] {
    let seconds =
      (ContinuousClock.now - started) / .seconds(1) / Double(max(step.number - first, 1))
    return [
      "epoch \(step.epoch)", "step \(step.number) / \(step.count)",
      "loss \(RunSummary.rounded(step.averageLoss, 5))", "lr \(Float(step.rate))",
      "\(RunSummary.rounded(seconds, 2)) s/step",
      "\(RunSummary.duration(seconds * Double(step.count - step.number))) left",
    ]
  }
}
