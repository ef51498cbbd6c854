/// What standard error says of work that takes minutes or days: one line that changes on a terminal, a line now and then
/// elsewhere; nothing where quiet is asked for.
package final class StatusLine {
  private let isQuiet: Bool
  private let isTerminal = StandardError.isTerminal
  private var lastWritten: ContinuousClock.Instant?
  private var isDrawn = false

  package init(isQuiet: Bool) { self.isQuiet = isQuiet }

  /// At most five times a second on a terminal, once in ten seconds elsewhere.
  /// - Parameter isLast: whether it is shown in any case.
  package func draw(_ line: String, isLast: Bool = false) {
    guard !isQuiet else { return }
    let now = ContinuousClock.now
    let pause: Duration = isTerminal ? .milliseconds(200) : .seconds(10)
    if !isLast, let lastWritten, now - lastWritten < pause { return }
    lastWritten = now
    StandardError.write(isTerminal ? "\r\(line)\u{1B}[K" : line + "\n")
    isDrawn = isTerminal
  }

  /// The same of parts, see `ProgressLine.fitted`.
  package func draw(_ parts: [String], from optional: Int, isLast: Bool = false) {
    draw(
      ProgressLine.fitted(parts, from: optional, to: Terminal.errorWidth.map { $0 - 1 } ?? .max),
      isLast: isLast)
  }

  /// Shows the next line at once.
  package func hurry() { lastWritten = nil }

  /// A line that stays.
  package func say(_ line: String) {
    guard !isQuiet else { return }
    finish()
    StandardError.say(line)
  }

  /// Removes the line that changes.
  package func finish() {
    if isDrawn { StandardError.write("\r\u{1B}[K") }
    isDrawn = false
  }
}
