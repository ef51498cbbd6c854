import CommandSupport
import Images
import Operations
import Reports
import Safetensors
import SystemPackage
import Training

/// The page of `--html`, written anew while a run gets on.
///
/// It is written whole beside and renamed, and seldom: its part of the time is at most a fiftieth, and between two writings
/// lie some seconds. Nothing that is trained is touched. A page that cannot be written is told once and stops nothing; the
/// last one is an error after the adapter is written.
final class RunReport {
  private let path: FilePath
  private var description: RunDescription
  private var pictures = SamplePictures()
  private let first: Int
  private var started: ContinuousClock.Instant?
  private var nextWriting = ContinuousClock.now
  /// When norms were asked for, which is part of the time that a page takes.
  private var measuringSince: ContinuousClock.Instant?
  private var hasFailed = false
  private let note: (String) -> Void

  /// Between two writings.
  private static let interval = Duration.seconds(5)
  /// How often a browser looks, while the run goes on.
  private static let refreshSeconds = 10
  /// Of the time between two writings, what one may take.
  private static let share = 50

  /// - Parameters:
  ///   - options: of the command, as pages list them.
  ///   - note: told what a user should know.
  init(
    _ path: FilePath, of plan: TrainingPlan, options: [String], note: @escaping (String) -> Void
  ) {
    (self.path, self.note) = (path, note)
    let resumed = plan.resumedStep
    first = resumed ?? 0
    let history =
      resumed.map {
        TrainingHistory(resuming: path, table: plan.configuration.output.table, upTo: $0)
      } ?? TrainingHistory()
    description = RunDescription(plan, options: options, history: history)
    for sample in history.samples { pictures.read(sample) }
  }

  /// An observer that hears what this one needs besides.
  func observing(_ other: TrainingObserver) -> TrainingObserver {
    var observer = other
    observer.begin = { [self] phase in
      if case .training = phase { started = .now }
      other.begin(phase)
    }
    observer.logged = { [self] scalars, step, epoch in
      description.history.append(scalars, step: step, epoch: epoch)
      other.logged(scalars, step, epoch)
    }
    observer.wantsNorms = { [self] in
      guard isDue || description.history.step == description.steps else {
        return other.wantsNorms()
      }
      measuringSince = .now
      return true
    }
    observer.measured = { [self] norms in
      description.history.append(norms) { BlockPlace(component: $0, path: $1).blockOfComponent }
      other.measured(norms)
    }
    observer.stepped = { [self] step in
      if isDue { write(as: .running) }
      other.stepped(step)
    }
    observer.sampled = { [self] picture in
      description.history.append(picture)
      pictures.add(picture)
      pictures.keep(description.history.samples)
      other.sampled(picture)
    }
    return observer
  }

  /// Writes the page of a run that has ended.
  /// - Parameter status: how
  /// - Throws: `SafetensorsError`
  func end(as status: RunDescription.Status, _ message: String? = nil) throws {
    description.message = message
    try writeWhole(as: status)
  }

  /// The same where there is an error to tell already.
  func end(after error: any Error) {
    let isInterrupted = if case TrainingError.interrupted = error { true } else { false }
    do {
      try end(as: isInterrupted ? .interrupted : .failed, "\(error)")
    } catch {
      note("\(error)")
    }
  }

  /// To a pipe or a device one page is written, at the end.
  private var isDue: Bool { !path.isWrittenThrough && ContinuousClock.now >= nextWriting }

  private func write(as status: RunDescription.Status) {
    let began = measuringSince ?? .now
    measuringSince = nil
    do {
      try writeWhole(as: status)
    } catch {
      if !hasFailed { note("the page of the run is not up to date: \(error)") }
      hasFailed = true
    }
    let now = ContinuousClock.now
    nextWriting = now + max(Self.interval, (now - began) * Self.share)
  }

  private func writeWhole(as status: RunDescription.Status) throws {
    description.status = status
    if let started, description.history.step > first {
      description.secondsPerStep =
        (ContinuousClock.now - started) / .seconds(1) / Double(description.history.step - first)
    }
    guard path.extension?.lowercased() != "json" else { return try path.write(description.json) }
    let page = RunPage(
      description, pictures, refreshSeconds: status == .running ? Self.refreshSeconds : nil)
    try path.write(page.html)
  }
}

extension BlockPlace {
  /// `unet down_blocks.1`
  fileprivate var blockOfComponent: String { "\(component) \(block)" }
}
