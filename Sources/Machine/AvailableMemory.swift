import CPlatform
import FoundationEssentials

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// How much memory a process may still take.
package enum AvailableMemory {
  /// Bytes; nil where the system does not say. The least of what the system has, what the group of
  /// processes is allowed and what this process is (`ulimit -v`).
  package static var bytes: Int? {
    let limits = [system, group, process].compactMap { $0 }
    return limits.min()
  }

  private static var system: Int? {
    text("/proc/meminfo")?.split(separator: "\n").first { $0.hasPrefix("MemAvailable:") }
      .flatMap { $0.split(separator: " ").dropFirst().first }.flatMap { Int($0) }
      .map { $0 * 1024 }
  }

  private static var group: Int? {
    guard let limit = text("/sys/fs/cgroup/memory.max").flatMap({ Int($0.prefix { $0 != "\n" }) }),
      let used = text("/sys/fs/cgroup/memory.current").flatMap({ Int($0.prefix { $0 != "\n" }) })
    else { return nil }
    return max(limit - used, 0)
  }

  private static var process: Int? {
    let limit = lyco_memory_limit()
    guard limit >= 0,
      let pages = text("/proc/self/statm")?.split(separator: " ").first.flatMap({ Int($0) })
    else { return nil }
    return max(Int(limit) - pages * Int(getpagesize()), 0)
  }

  private static func text(_ path: String) -> String? {
    (try? Data(contentsOf: URL(filePath: path))).map { String(decoding: $0, as: UTF8.self) }
  }
}
