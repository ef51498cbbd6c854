import ModelFamilies

/// The rows in which a transformer has its blocks, one computed after the other: of each row the first words of paths
/// in its graph, `double_blocks` of `double_blocks.0.img_mlp.fc1`, in all spellings.
struct BlockRows: ExpressibleByArrayLiteral {
  private let names: [[String]]

  init(arrayLiteral names: [String]...) { self.names = names }

  /// Row and number of the block that a path is of; nil outside of blocks.
  func place(of path: String) -> (row: Int, number: Int)? {
    let parts = path.split(separator: ".", maxSplits: 2)
    guard parts.count > 1, let number = Int(parts[1]),
      let row = names.firstIndex(where: { $0.contains(String(parts[0])) })
    else { return nil }
    return (row, number)
  }

  /// The modules of each block, in the order in which blocks are computed.
  func blocks(of modules: [FamilyModule]) -> [[FamilyModule]] {
    var found: [(place: (row: Int, number: Int), modules: [FamilyModule])] = []
    for module in modules {
      guard let place = place(of: module.graphPath) else { continue }
      if let index = found.firstIndex(where: { $0.place == place }) {
        found[index].modules.append(module)
      } else {
        found.append((place, [module]))
      }
    }
    return found.sorted { $0.place < $1.place }.map(\.modules)
  }
}
