package import Foundation

extension Process {
  /// Starts it so that it hears Ctrl-C: a shell has those ignore it that it runs behind it, and tests would hand that on.
  package func runHearingInterrupts() throws {
    signal(SIGINT, SIG_DFL)
    try run()
  }
}
