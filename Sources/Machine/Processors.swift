import CPlatform

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The processors of the machine.
package enum Processors {
  /// Those that this process may run on: `taskset`, `mpirun` and containers bind it to some. At least 1.
  package static var usable: Int {
    let count = Int(lyco_usable_processors())
    return count > 0 ? count : max(1, Int(sysconf(CInt(_SC_NPROCESSORS_ONLN))))
  }
}
