import Operations
import Reports

/// Modules by block and layer, for heat maps: one for each component of the model.
struct ModuleGrid {
  private struct Part {
    let component: String
    let columns: [HeatMap.Column]
    let layers: [String]
    /// By layer and column.
    let modules: [[TensorStatistics?]]
  }

  private let parts: [Part]

  /// Blocks and layers that a picture can show.
  private static let most = (columns: 400, layers: 60)

  /// - Parameter modules: those without a place are left out.
  init(_ modules: [TensorStatistics]) {
    parts = Dictionary(grouping: modules.filter { $0.component != nil }) { $0.component ?? "" }
      .sorted { ($1.value.count, $0.key) < ($0.value.count, $1.key) }
      .map { Self.part($0.key, $0.value) }
  }

  /// Maps of one measure.
  /// - Parameter cell: nil for a module whose number is not known.
  /// - Returns: whether any number is known.
  @discardableResult
  func write(
    _ title: String, _ measure: String, in content: inout HTMLContent,
    _ cell: (TensorStatistics) -> HeatMap.Cell?
  ) -> Bool {
    var isKnown = false
    for part in parts {
      let cells = part.modules.map { row in row.map { $0.flatMap(cell) } }
      let values = cells.joined().compactMap { $0?.value }
      guard !values.isEmpty else { continue }
      isKnown = true
      // The full table has the numbers of all maps side by side.
      content.map(
        HeatMap(
          parts.count > 1 ? "\(title): \(part.component)" : title, measure: measure,
          isLogarithmic: Self.spansDecades(values), rows: part.layers, columns: part.columns,
          cells: cells), hasTable: false)
    }
    return isKnown
  }

  /// Whether most would look alike on a linear scale.
  private static func spansDecades(_ values: [Double]) -> Bool {
    let positive = values.filter { $0 > 0 && $0.isFinite }.sorted()
    guard positive.count > 1 else { return false }
    // A few that are far from all others do not count.
    let margin = positive.count / 20
    return positive[positive.count - 1 - margin] / positive[margin] > 30
  }

  private static func part(_ component: String, _ modules: [TensorStatistics]) -> Part {
    let blocks = Set(modules.map { $0.block ?? "" }).sorted(by: precedes).prefix(most.columns)
    let layers = Set(modules.map { $0.layer ?? "" }).sorted(by: precedes).prefix(most.layers)
    let columnOfBlock = Dictionary(uniqueKeysWithValues: zip(blocks, blocks.indices))
    let rowOfLayer = Dictionary(uniqueKeysWithValues: zip(layers, layers.indices))
    var cells = [[TensorStatistics?]](
      repeating: Array(repeating: nil, count: blocks.count), count: layers.count)
    for module in modules {
      guard let row = rowOfLayer[module.layer ?? ""], let column = columnOfBlock[module.block ?? ""]
      else { continue }
      cells[row][column] = module
    }
    return Part(
      component: component, columns: columns(of: Array(blocks)), layers: Array(layers),
      modules: cells)
  }

  /// Blocks that have a second number are grouped by their first: `down_blocks.1`; others by what stands before their
  /// number.
  private static func columns(of blocks: [String]) -> [HeatMap.Column] {
    let ways = blocks.map { $0.split(separator: ".").map(String.init) }
    let deep = Set(
      ways.filter { $0.count(where: \.isNumber) > 1 }.map { $0.prefix { !$0.isNumber } })
    return zip(blocks, ways).map { block, words in
      guard !block.isEmpty else { return .init("", in: "others", name: "") }
      let head = words.prefix { !$0.isNumber }
      let isDeep = deep.contains(head)
      let group = words.prefix(head.count + (isDeep ? 1 : 0)).joined(separator: ".")
      let label = words.dropFirst(head.count + (isDeep ? 1 : 0)).filter(\.isNumber)
      return .init(label.joined(separator: "."), in: group, name: block)
    }
  }

  /// Numbers by their value, other words by the alphabet; what lies in no block comes last.
  private static func precedes(_ a: String, _ b: String) -> Bool {
    if a.isEmpty != b.isEmpty { return b.isEmpty }
    for (x, y) in zip(a.split(separator: "."), b.split(separator: ".")) where x != y {
      if let m = Int(x), let n = Int(y), m != n { return m < n }
      return x < y
    }
    return a.utf8.count < b.utf8.count
  }
}

extension String {
  fileprivate var isNumber: Bool { !isEmpty && allSatisfy(\.isNumber) }
}
