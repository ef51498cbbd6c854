import Foundation
package import SystemPackage

/// The files in a folder and below, by their paths from it, with their contents.
package struct FileTree: Equatable {
  package private(set) var files: [String: [UInt8]] = [:]
  /// Folders, and whatever is neither folder nor file.
  package private(set) var others: Set<String> = []

  package init(_ folder: FilePath) throws { try add(folder, "") }

  /// These files, and the folders on their ways.
  package init(files: [String: [UInt8]]) {
    self.files = files
    for name in files.keys {
      let parts = name.split(separator: "/").dropLast()
      others.formUnion(parts.indices.map { parts[...$0].joined(separator: "/") + "/" })
    }
  }

  private mutating func add(_ folder: FilePath, _ prefix: String) throws {
    for name in directoryEntries(folder) {
      let path = folder.appending(name)
      var isFolder: ObjCBool = false
      _ = FileManager.default.fileExists(atPath: path.string, isDirectory: &isFolder)
      if isFolder.boolValue {
        others.insert(prefix + name + "/")
        try add(path, prefix + name + "/")
      } else {
        files[prefix + name] = Self.withoutDate(try contents(of: path))
      }
    }
  }

  /// With zeros for the time of a training, which stands in the metadata of its adapter.
  private static func withoutDate(_ bytes: [UInt8]) -> [UInt8] {
    let key = Array("\"modelspec.date\":\"".utf8)
    // Not `firstRange(of:)`: Foundation's, for any collection, takes a minute and a half for the files of all tests.
    let place = bytes.indices.dropLast(key.count).first { i in
      bytes[i] == key[0] && bytes[i..<i + key.count].elementsEqual(key)
    }
    guard let date = place.map({ $0 + key.count }) else { return bytes }
    var bytes = bytes
    for i in date..<min(date + 19, bytes.count) { bytes[i] = 0x30 }
    return bytes
  }

  /// The same with other contents of some files, where they are there.
  package func replacing(_ names: Set<String>, by change: ([UInt8]) -> [UInt8]) -> FileTree {
    var tree = self
    for name in names { tree.files[name] = files[name].map(change) }
    return tree
  }

  /// What has a hidden name, or lies in such a folder.
  package var hidden: [String] {
    (Array(files.keys) + others).filter { $0.hasPrefix(".") || $0.contains("/.") }.sorted()
  }

  /// Writes it all into a folder, with the same times each time: caches note those of their images.
  package func write(to folder: FilePath) throws {
    for name in others.sorted() {
      try FileManager.default.createDirectory(
        atPath: folder.string + "/" + name, withIntermediateDirectories: true)
    }
    for (name, bytes) in files {
      let path = folder.string + "/" + name
      try Data(bytes).write(to: URL(filePath: path))
      try FileManager.default.setAttributes(
        [.modificationDate: Date(timeIntervalSince1970: 1_700_000_000)], ofItemAtPath: path)
    }
  }
}
