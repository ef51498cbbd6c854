import CommandSupport
import Dispatch
import Images
import Operations
import Reports
import Safetensors
import SystemPackage
import Training

/// The page of `--html`, written anew while a run gets on: before the first step, after it, then every few seconds, and at
/// the end.
///
/// It is written whole beside and renamed, and seldom: its part of the time is at most a fiftieth, and between two writings
/// lie some seconds. Nothing that is trained is touched. A page that cannot be written is told once and stops nothing; the
/// last one is an error after the adapter is written.
///
/// What trains calls it from one thread; another one may end it, where several ranks are interrupted.
final class RunReport: @unchecked Sendable {
  private let path: FilePath
  private let options: [String]
  private let note: (String) -> Void
  /// Held while what is below changes or is written.
  private let lock = DispatchSemaphore(value: 1)
  /// nil until it is known what is trained.
  private var description: RunDescription?
  private var pictures = SamplePictures()
  /// The blocks of modules, by component and path.
  private var blocks: [String: String] = [:]
  private var first = 0
  private var started: ContinuousClock.Instant?
  private var nextWriting = ContinuousClock.now
  /// When norms were asked for, which is part of the time that a page takes.
  private var measuringSince: ContinuousClock.Instant?
  private var hasFailed = false
  private var hasEnded = false

  /// Between two writings.
  private static let interval = Duration.seconds(5)
  /// How often a browser looks, while the run goes on.
  private static let refreshSeconds = 10
  /// Of the time between two writings, what one may take.
  private static let share = 50

  /// - Parameters:
  ///   - options: of the command, as pages list them.
  ///   - note: told what a user should know.
  init(_ path: FilePath, options: [String], note: @escaping (String) -> Void) {
    (self.path, self.options, self.note) = (path, options, note)
  }

  /// Writes the page of a run before its first step.
  func begin(_ plan: TrainingPlan) {
    let resumed = plan.resumedStep
    let history =
      resumed.map {
        TrainingHistory(resuming: path, table: plan.configuration.output.table, upTo: $0)
      } ?? TrainingHistory()
    let description = RunDescription(plan, options: options, history: history)
    changing {
      first = resumed ?? 0
      self.description = description
      for sample in history.samples { pictures.read(sample) }
      if isDue { write() }
      // The first step is shown at once.
      nextWriting = .now
    }
  }

  /// An observer that hears what this one needs besides.
  func observing(_ other: TrainingObserver) -> TrainingObserver {
    var observer = other
    observer.begin = { [self] phase in
      if case .training = phase { changing { started = .now } }
      other.begin(phase)
    }
    observer.logged = { [self] scalars, step, epoch in
      changing { description?.history.append(scalars, step: step, epoch: epoch) }
      other.logged(scalars, step, epoch)
    }
    observer.wantsNorms = { [self] in
      let wants = changing {
        guard isDue || description?.history.step == description?.steps else { return false }
        measuringSince = .now
        return true
      }
      return wants || other.wantsNorms()
    }
    observer.measured = { [self] norms in
      changing { append(norms) }
      other.measured(norms)
    }
    observer.stepped = { [self] step in
      changing {
        description?.status = .running
        if isDue { write() }
      }
      other.stepped(step)
    }
    observer.sampled = { [self] picture in
      changing {
        description?.history.append(picture)
        pictures.add(picture)
        pictures.keep(description?.history.samples ?? [])
      }
      other.sampled(picture)
    }
    return observer
  }

  /// Writes the page of a run that has ended; nothing where that was done, or nothing had begun.
  /// - Parameter status: how
  /// - Throws: `SafetensorsError`
  func end(as status: RunDescription.Status, _ message: String? = nil) throws {
    try changing {
      guard description != nil, !hasEnded else { return }
      hasEnded = true
      description?.status = status
      description?.message = message
      try writeWhole()
    }
  }

  /// The same where there is an error to tell already.
  func end(after error: any Error) {
    do {
      if error is CancellationError {
        try end(as: .interrupted)
      } else {
        try end(as: Train.isInterruption(error) ? .interrupted : .failed, "\(error)")
      }
    } catch {
      note("\(error)")
    }
  }

  @discardableResult
  private func changing<Result>(_ body: () throws -> Result) rethrows -> Result {
    lock.wait()
    defer { lock.signal() }
    return try body()
  }

  private func append(_ norms: TrainingObserver.Norms) {
    func name(_ component: String, _ path: String) -> String { "\(component) \(path)" }
    if blocks.isEmpty {
      let places = LayerPlace.places(of: norms.modules.map { ($0.component, $0.path) })
      for (module, place) in zip(norms.modules, places) {
        blocks[name(module.component, module.path)] =
          "\(module.component) \(place.outermostBlock)"
      }
    }
    description?.history.append(norms) { blocks[name($0, $1)] ?? $0 }
  }

  /// To a pipe or a device one page is written, at the end.
  private var isDue: Bool {
    !hasEnded && !path.isWrittenThrough && ContinuousClock.now >= nextWriting
  }

  private func write() {
    let began = measuringSince ?? .now
    measuringSince = nil
    do {
      try writeWhole()
    } catch {
      if !hasFailed { note("the page of the run is not up to date: \(error)") }
      hasFailed = true
    }
    let now = ContinuousClock.now
    nextWriting = now + max(Self.interval, (now - began) * Self.share)
  }

  private func writeWhole() throws {
    guard var description else { return }
    if let started, description.history.step > first {
      description.secondsPerStep =
        (ContinuousClock.now - started) / .seconds(1) / Double(description.history.step - first)
    }
    guard path.extension?.lowercased() != "json" else { return try path.write(description.json) }
    let isGoingOn = [.starting, .running].contains(description.status)
    let page = RunPage(
      description, pictures, refreshSeconds: isGoingOn ? Self.refreshSeconds : nil)
    try path.write(page.html)
  }
}
