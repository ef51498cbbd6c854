import Machine
import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A folder and those on the way to it, by their depth: of `a/b/c` 0 is `a`, 2 the whole.
///
/// They are parts of one name in memory. Paths of their own would take time and memory by the square of the depth.
struct FolderWay: Sendable {
  private let bytes: [CChar]
  /// Where the name of each ends.
  private let ends: [Int]

  var count: Int { ends.count }

  init(_ path: FilePath) {
    bytes = path.bytes.map { CChar(bitPattern: $0) }
    let separator = CChar(bitPattern: UInt8(ascii: "/"))
    let separators = bytes.indices.dropFirst().filter { [bytes] in bytes[$0] == separator }
    ends = separators + (bytes.isEmpty ? [] : [bytes.count])
  }

  func path(_ depth: Int) -> FilePath {
    FilePath(bytes: bytes[..<ends[depth]].map { UInt8(bitPattern: $0) })
  }

  /// What it leads to, links followed.
  func status(_ depth: Int) throws(Errno) -> stat {
    var status = stat()
    try unsafe call(depth) { unsafe stat($0, &status) }
    return status
  }

  func make(_ depth: Int) throws(Errno) { try unsafe call(depth) { unsafe mkdir($0, 0o777) } }

  /// Removes it if it is empty.
  func remove(_ depth: Int) throws(Errno) { try unsafe call(depth) { unsafe rmdir($0) } }

  private func call(
    _ depth: Int, _ body: (UnsafePointer<CChar>) -> CInt
  ) throws(Errno) {
    let name = bytes[..<ends[depth]] + [0]
    _ = try unsafe name.withUnsafeBufferPointer { name throws(Errno) in
      guard let start = name.baseAddress else { throw .invalidArgument }
      return try Posix.check { unsafe body(start) }
    }
  }
}
