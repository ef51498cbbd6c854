import Adapters
import Tensors

/// The algorithm of an adapter module: one that can be applied, or one that is only known by name.
enum InspectedAlgorithm: Sendable {
  case known(any AdapterAlgorithm.Type)
  case foreign(ForeignAlgorithm)

  /// An algorithm of the registry hides a foreign one of its name.
  static let all: [InspectedAlgorithm] = {
    let names = Set(allAlgorithms.map { $0.name })
    return allAlgorithms.map { .known($0) }
      + ForeignAlgorithm.all.filter { !names.contains($0.name) }.map { .foreign($0) }
  }()

  var name: String {
    switch self {
    case .known(let algorithm): algorithm.name
    case .foreign(let algorithm): algorithm.name
    }
  }

  var markers: Set<String> {
    switch self {
    case .known(let algorithm): algorithm.markers
    case .foreign(let algorithm): algorithm.markers
    }
  }

  /// Canonical names of its tensors.
  var suffixes: Set<String> {
    switch self {
    case .known(let algorithm): Set(algorithm.suffixes.map(\.name))
    case .foreign(let algorithm): algorithm.markers.union(algorithm.others)
    }
  }

  /// Whether alpha / rank multiplies the change.
  var isScaled: Bool {
    switch self {
    case .known: true
    case .foreign(let algorithm): algorithm.isScaled
    }
  }

  func rank(of shapes: [String: Shape]) -> Int? {
    switch self {
    case .known(let algorithm): algorithm.rank(of: shapes)
    case .foreign(let algorithm): algorithm.rank(of: shapes)
    }
  }

  /// Missing partners and shapes that do not go together, a sentence each.
  func faults(in shapes: [String: Shape]) -> [String] {
    switch self {
    case .foreign(let algorithm): return algorithm.missing(in: Set(shapes.keys))
    case .known(let algorithm):
      do throws(AdapterError) {
        try algorithm.check(shapes, base: algorithm.weightShape(of: shapes) ?? [0, 0])
        return []
      } catch {
        return ["\(error)"]
      }
    }
  }
}
