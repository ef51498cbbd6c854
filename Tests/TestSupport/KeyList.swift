import Foundation
package import ModelFamilies
import SystemPackage
package import Tensors

/// The keys and shapes of a checkpoint of full size, from `Fixtures/families`.
package struct KeyList {
  package let tensors: [(key: String, shape: Shape)]

  package init(tensors: [(key: String, shape: Shape)]) { self.tensors = tensors }

  package init(_ name: String, prefix: String = "") throws {
    let path = Fixtures.path("families/\(name).txt").string
    let text = try String(contentsOfFile: path, encoding: .utf8)
    tensors = text.split(separator: "\n").flatMap { line in
      let columns = line.split(separator: "\t", omittingEmptySubsequences: false)
      let extents = columns.count > 1 ? columns[1].split(separator: "x").map { Int($0)! } : []
      return Self.expanded(columns[0]).map { (prefix + $0, Shape(extents)) }
    }
  }

  /// The keys of blocks that are alike: `blocks.{0-2}.norm` stands for three.
  ///
  /// Lists have a thousand keys and more, and are read again and again: a pattern would take most of the time.
  private static func expanded(_ key: Substring) -> [String] {
    guard let open = key.firstIndex(of: "{"), let close = key[open...].firstIndex(of: "}") else {
      return [String(key)]
    }
    let bounds = key[open..<close].dropFirst().split(separator: "-").map { Int($0)! }
    return (bounds[0]...bounds[1]).map { "\(key[..<open])\($0)\(key[close...].dropFirst())" }
  }

  package func layout(as family: ModelFamily? = nil) throws -> ModelLayout {
    try ModelLayout(of: tensors, as: family)
  }
}

/// The lines of a text file in `Fixtures`.
package func fixtureLines(_ path: String) throws -> [Substring] {
  try String(contentsOfFile: Fixtures.path(path).string, encoding: .utf8).split(separator: "\n")
}
