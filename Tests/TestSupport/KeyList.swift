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
    tensors = text.split(separator: "\n").map { line in
      let columns = line.split(separator: "\t", omittingEmptySubsequences: false)
      let extents = columns.count > 1 ? columns[1].split(separator: "x").map { Int($0)! } : []
      return (prefix + columns[0], Shape(extents))
    }
  }

  package func layout(as family: ModelFamily? = nil) throws -> ModelLayout {
    try ModelLayout(of: tensors, as: family)
  }
}

/// The lines of a text file in `Fixtures`.
package func fixtureLines(_ path: String) throws -> [Substring] {
  try String(contentsOfFile: Fixtures.path(path).string, encoding: .utf8).split(separator: "\n")
}
