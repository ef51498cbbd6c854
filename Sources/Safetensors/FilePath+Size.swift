package import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

extension FilePath {
  /// Bytes that the file takes, header and all; 0 where there is none.
  package var byteCount: Int { (try? Posix.status(self)).map { Int($0.st_size) } ?? 0 }
}
