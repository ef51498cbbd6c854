package import SystemPackage

/// Where the repository's `Fixtures` folder is, whatever the working directory.
package enum Fixtures {
  package static let folder: FilePath = {
    var path = FilePath(#filePath)  // Tests/TestSupport/Fixtures.swift
    for _ in 0..<3 { path.removeLastComponent() }
    return path.appending("Fixtures")
  }()

  /// `Fixtures.path("families/sd1.ldm.txt")`
  package static func path(_ relative: String) -> FilePath {
    folder.appending(FilePath(relative).components)
  }
}
