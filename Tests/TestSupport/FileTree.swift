import Foundation
package import SystemPackage

/// The files in a folder and below, by their paths from it, with their contents.
package struct FileTree: Equatable {
  package private(set) var files: [String: [UInt8]] = [:]
  /// Folders, and whatever is neither folder nor file.
  package private(set) var others: Set<String> = []

  package init(_ folder: FilePath) throws { try add(folder, "") }

  private mutating func add(_ folder: FilePath, _ prefix: String) throws {
    for name in directoryEntries(folder) {
      let path = folder.appending(name)
      var isFolder: ObjCBool = false
      _ = FileManager.default.fileExists(atPath: path.string, isDirectory: &isFolder)
      if isFolder.boolValue {
        others.insert(prefix + name + "/")
        try add(path, prefix + name + "/")
      } else {
        files[prefix + name] = try contents(of: path)
      }
    }
  }

  /// What has a hidden name, or lies in such a folder.
  package var hidden: [String] {
    (Array(files.keys) + others).filter { $0.hasPrefix(".") || $0.contains("/.") }.sorted()
  }

  /// Writes it all into a folder.
  package func write(to folder: FilePath) throws {
    for name in others.sorted() {
      try FileManager.default.createDirectory(
        atPath: folder.string + "/" + name, withIntermediateDirectories: true)
    }
    for (name, bytes) in files {
      try Data(bytes).write(to: URL(filePath: folder.string + "/" + name))
    }
  }
}
