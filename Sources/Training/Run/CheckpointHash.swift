import Checkpoints
import Machine
import Safetensors
package import SystemPackage

/// The two hashes by which the web UI knows a checkpoint.
package struct CheckpointHash: Sendable {
  /// The first 8 digits of the SHA-256 of bytes 0x100000 to 0x110000.
  package let short: String
  /// The SHA-256 of the file.
  package let whole: String

  /// Of a folder what sd-scripts says in its place; nil for a file that cannot be read.
  /// - Complexity: reads the file once.
  package init?(of path: FilePath) {
    if path.kind == .folder {
      (short, whole) = ("IsADirectory", "IsADirectory")
      return
    }
    guard let file = try? MappedFile(path) else { return nil }
    let part = SHA256()
    let all = SHA256()
    let bytes = unsafe file.bytes.bytes
    all.update(bytes)
    let range = (0x100000..<0x110000).clamped(to: 0..<file.count)
    part.update(bytes.extracting(range))
    short = String(part.finish().prefix(8))
    whole = all.finish()
  }
}
