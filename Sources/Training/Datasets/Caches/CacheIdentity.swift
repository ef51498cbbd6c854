import Checkpoints
import Glibc
import Machine
import Safetensors
import SystemPackage

/// What a cache of latents was made from. It stands in the cache, so that one which does not match any more is
/// made anew.
struct CacheIdentity: Equatable, Sendable {
  /// Any text that differs between VAEs, such as a hash of the weights; nil where there is none to compare with.
  let vae: String?
  let bucket: Resolution
  let resized: Resolution
  /// As configured.
  let interpolation: String
  let image: FileState

  static let format = "lyco-latents-1"

  /// Size, time and content of a file.
  struct FileState: Equatable, Sendable {
    let byteCount: Int
    /// Milliseconds since 1970.
    let modified: Int

    init(of path: FilePath) throws(DatasetError) {
      guard let status = InputFile.status(of: path) else { throw .io(path, .noSuchFileOrDirectory) }
      byteCount = Int(status.st_size)
      modified = status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / 1_000_000
    }
  }

  init(
    of example: TrainingExample, _ interpolation: String, vae: String?
  ) throws(DatasetError) {
    self.vae = vae
    bucket = example.bucket
    resized = example.choice.resized
    self.interpolation = interpolation
    image = try FileState(of: example.path)
  }

  /// As it is stored.
  /// - Parameter hash: of the image's bytes
  func entries(hash: String) -> [(key: String, value: String)] {
    [
      ("format", Self.format), ("vae", vae ?? ""),  // metadata: of our own caches
      ("bucket", "\(bucket)"), ("resized", "\(resized)"),
      ("interpolation", interpolation), ("image_bytes", "\(image.byteCount)"),
      ("image_modified", "\(image.modified)"), ("image_sha256", hash),
    ]
  }

  /// The first entry in which what is stored differs, as the pair of what is expected and found.
  /// - Parameter path: of the image, whose content is looked at if its time alone has changed.
  func difference(
    from stored: [String: String], path: FilePath
  ) throws(DatasetError) -> (expected: String, found: String)? {
    for (key, value) in entries(hash: "").dropLast(2) {
      if key == "vae", vae == nil { continue }  // metadata: of our own caches
      let found = stored[key] ?? "nothing"
      if found != value { return ("\(key) \(value)", found) }
    }
    if stored["image_modified"] == "\(image.modified)" { return nil }
    let hash = try Self.hash(of: path)
    return stored["image_sha256"] == hash ? nil : ("the image as it is now", "another content")
  }

  static func hash(of path: FilePath) throws(DatasetError) -> String {
    do {
      let file = try MappedFile(path)
      let hash = SHA256()
      unsafe hash.update(file.bytes.bytes)
      return hash.finish()
    } catch {
      throw .wrapped(error, path)
    }
  }
}

extension DatasetError {
  /// An error of reading or writing a file, with its path.
  static func wrapped(_ error: SafetensorsError, _ path: FilePath) -> DatasetError {
    .file(path, detail: "\(error)")
  }
}
