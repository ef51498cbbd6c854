import Pipelines
import SystemPackage

/// What the columns of adapters are called in a grid.
///
/// The stem of the file, with as many folders before it as tell it from others of that name: `run1/style`. Columns of one
/// file say their strengths.
struct AdapterLabels {
  let labels: [String]

  init(_ adapters: [MergedAdapter]) {
    let names = adapters.map { Self.names($0.path) }
    labels = adapters.indices.map { index in
      let own = names[index]
      let others = names.indices.filter { names[$0] != own }.map { names[$0] }
      let count = (1...own.count).first { count in
        others.allSatisfy { $0.suffix(count) != own.suffix(count) }
      }
      let label = own.suffix(count ?? own.count).joined(separator: "/")
      let isAlone = names.count { $0 == own } == 1
      return isAlone ? label : "\(label) at \(adapters[index].denoiserRatio)"
    }
  }

  /// Of folders and file, the last without its ending.
  private static func names(_ path: FilePath) -> [String] {
    path.removingLastComponent().components.map(\.string) + [path.stem ?? ""]
  }
}
