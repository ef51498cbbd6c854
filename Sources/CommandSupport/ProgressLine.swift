package import Operations
import Synchronization

/// One line on a terminal's standard error that says how far the work has come, how fast it goes
/// and how long it will take; silent elsewhere, but for a
/// `ProgressStream`.
package final class ProgressLine: Sendable {
  private struct State {
    var started: ContinuousClock.Instant
    var activity = ""
    var lastDrawn: ContinuousClock.Instant?
  }

  private let state: Mutex<State>
  private let isVisible: Bool
  private let stream = ProgressStream.ofEnvironment()

  package init(isVisible: Bool = StandardError.isTerminal) {
    self.isVisible = isVisible
    state = Mutex(State(started: .now))
  }

  package var reporter: ProgressReporter {
    guard isVisible || stream != nil else { return .silent }
    return ProgressReporter { [self] progress in
      stream?.write(ProgressRecord(progress))
      if isVisible { draw(progress) }
    }
  }

  /// Removes the line.
  package func finish() {
    let drawn = state.withLock { $0.lastDrawn != nil }
    if drawn { StandardError.write("\r\u{1B}[K") }
  }

  /// At most ten times a second.
  private func draw(_ progress: Progress) {
    let line: String? = state.withLock { state in
      let now = ContinuousClock.now
      if state.activity != progress.activity {
        state.activity = progress.activity
        state.started = now
        state.lastDrawn = nil
      }
      if let last = state.lastDrawn, now - last < .milliseconds(100) { return nil }
      state.lastDrawn = now
      return Self.text(
        progress, after: (now - state.started) / .seconds(1),
        width: (Terminal.errorWidth ?? Terminal.usualWidth) - 1)
    }
    if let line { StandardError.write("\r\(line)\u{1B}[K") }
  }

  /// `merging  42 %  1.3 GB/s  0:07 left`, in at most so many columns: one that wraps is drawn anew below
  /// itself each time.
  package static func text(_ progress: Progress, after seconds: Double, width: Int) -> String {
    let share = progress.total > 0 ? Double(progress.completed) / Double(progress.total) : 1
    let percent = "\(Int(100 * share)) %"
    guard seconds > 0.5, share > 0 else {
      return fitted([progress.activity, percent], from: 1, to: width)
    }
    let left = Int((seconds / share - seconds).rounded(.up))
    let remainder = left % 60
    let time = "\(left / 60):\(remainder < 10 ? "0" : "")\(remainder) left"
    let speed =
      progress.isBytes ? ["\(ByteCount(Int(Double(progress.completed) / seconds)))/s"] : []
    return fitted([progress.activity, percent] + speed + [time], from: 2, to: width)
  }

  /// Parts of a line, of which those from an index on are left out as far as there is no room for them, the
  /// first of these first; the rest is cut.
  package static func fitted(_ parts: [String], from optional: Int, to width: Int) -> String {
    var parts = parts
    func line() -> String { parts.joined(separator: "  ") }
    while line().count > width, parts.count > optional { parts.remove(at: optional) }
    return String(line().prefix(max(width, 1)))
  }
}
