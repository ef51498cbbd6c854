import Machine
import Safetensors
import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// What lies in folders of images.
enum FileListing {
  /// Why nothing can be written in a folder, as far as that is known without writing; nil where something can.
  static func refusal(ofWritingIn folder: FilePath) -> Errno? {
    let status = unsafe folder.withPlatformString { unsafe access($0, W_OK | X_OK) }
    return status == 0 ? nil : Errno(rawValue: errno)
  }

  /// Endings of images. Content decides what is read; the rest are formats that other trainers take,
  /// so that they are named rather than passed over.
  static let imageEndings: Set<String> = [
    "png", "jpg", "jpeg", "webp", "bmp", "gif", "avif", "heic", "heif", "jxl", "tif", "tiff",
  ]

  static func isFolder(_ path: FilePath) -> Bool {
    InputFile.kind(of: path) == .folder
  }

  static func exists(_ path: FilePath) -> Bool {
    InputFile.kind(of: path) != nil
  }

  /// Names in a folder without hidden ones, sorted by their bytes.
  /// - Throws: `DatasetError.io`
  static func names(in folder: FilePath) throws(DatasetError) -> [String] {
    do throws(SafetensorsError) {
      return try folder.names().sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    } catch {
      throw .io(folder, exists(folder) ? .permissionDenied : .noSuchFileOrDirectory)
    }
  }

  /// Names of the images directly in a folder.
  static func images(in folder: FilePath) throws(DatasetError) -> [String] {
    try names(in: folder).filter { name in
      guard let ending = FilePath(name).extension else { return false }
      return imageEndings.contains(ending.lowercased()) && !isFolder(folder.appending(name))
    }
  }

  static func folders(in folder: FilePath) throws(DatasetError) -> [String] {
    try names(in: folder).filter { isFolder(folder.appending(named: $0)) }
  }

  /// A file of text.
  /// - Parameter limit: the most bytes that it may have
  /// - Throws: `DatasetError.input`, `.caption` if it is not UTF-8
  static func text(
    of path: FilePath, atMost limit: Int = InputFile.mostText
  ) throws(DatasetError) -> String {
    let data: [UInt8]
    do throws(InputError) {
      data = try InputFile.bytes(of: path, atMost: limit)
    } catch {
      throw .input(path, error)
    }
    // A byte order mark is what Windows' editors put before UTF-8.
    let bytes = data.starts(with: [0xEF, 0xBB, 0xBF]) ? data.dropFirst(3) : data[...]
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw .caption(path, detail: "expected text in UTF-8, found other bytes")
    }
    return text
  }
}

extension FilePath {
  /// The path without the ending of its last component.
  var withoutEnding: FilePath {
    var path = self
    path.extension = nil
    return path
  }
}
