import Foundation

/// Lets processes that are started from here on hear Ctrl-C: a shell has those ignore it that it runs behind it, and they
/// would hand that on.
package func hearInterrupts() { signal(SIGINT, SIG_DFL) }
