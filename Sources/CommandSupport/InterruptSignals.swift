import CPlatform
import Dispatch

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Turns the first SIGINT, SIGTERM or SIGHUP into a call; the second ends the process at once.
///
/// Outputs have no name before they are whole, so even then nothing is left behind. A signal that whoever
/// started the process ignores, as `nohup` does, stays ignored. The value must live as long as signals are
/// to be heard.
struct InterruptSignals {
  private let sources: [any DispatchSourceSignal]

  init() {
    let queue = DispatchQueue(label: "signals")
    // Dispatch catches the signals from activation on. They are not ignored until then: one that has
    // come before would be lost, and may as well end a process that has done nothing yet.
    sources = [SIGINT, SIGTERM, SIGHUP].filter { !Self.isIgnored($0) }.map {
      DispatchSource.makeSignalSource(signal: $0, queue: queue)
    }
  }

  private static func isIgnored(_ signal: CInt) -> Bool { lyco_is_ignored(signal) != 0 }

  func onInterrupt(_ action: @escaping @Sendable () -> Void) {
    for source in sources {
      source.setEventHandler { [sources] in
        action()
        for source in sources { source.setEventHandler { _exit(130) } }
      }
      source.activate()
    }
  }
}
