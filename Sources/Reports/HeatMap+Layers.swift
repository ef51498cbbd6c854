import CommandSupport
package import Operations

extension HeatMap {
  /// Blocks and layers that a picture can show, what is beyond lies in the last ones; letters of their names.
  private static let most = (columns: 400, rows: 60, letters: 200)

  /// Maps of layers by block and kind, one for each component of the model, the largest first.
  /// - Parameters:
  ///   - title: of one map; the component is added where there are several.
  ///   - isLogarithmic: nil for what suits the values: logarithmic where they differ much.
  ///   - cell: the number of some layers of one kind in one block, by their places in `layers`; nil for none.
  /// - Returns: none where no number is known.
  /// - Complexity: O(n log n) for n layers
  package static func maps(
    _ title: String, measure: String, isLogarithmic: Bool? = nil, of layers: [LayerPlace],
    cell: ([Int]) -> Cell?
  ) -> [HeatMap] {
    let components = Dictionary(grouping: layers.indices) { layers[$0].component }
      .sorted { ($1.value.count, $0.key) < ($0.value.count, $1.key) }
    return components.compactMap { component, members in
      let (rows, rowOfLayer) = Self.rows(members.map { layers[$0] })
      let (columns, columnOfBlock) = Self.columns(members.map { layers[$0] })
      var places = [[[Int]]](
        repeating: Array(repeating: [], count: columns.count), count: rows.count)
      for index in members {
        let row = rowOfLayer[layers[index].layer] ?? rows.count - 1
        let column = columnOfBlock[layers[index].block] ?? columns.count - 1
        places[row][column].append(index)
      }
      let cells = places.map { $0.map { $0.isEmpty ? nil : cell($0) } }
      let values = cells.joined().compactMap { $0?.value }
      guard !values.isEmpty else { return nil }
      return HeatMap(
        components.count > 1 ? "\(title): \(component)" : title, measure: measure,
        isLogarithmic: isLogarithmic ?? spansDecades(values), rows: rows, columns: columns,
        cells: cells)
    }
  }

  /// Layers in the order in which they come, those of no block last.
  private static func rows(_ layers: [LayerPlace]) -> ([String], [String: Int]) {
    let names = distinct(
      layers.filter(\.isInBlock).map(\.layer) + layers.filter { !$0.isInBlock }.map(\.layer))
    let isCut = names.count > most.rows
    let shown = isCut ? names.prefix(most.rows - 1) : names[...]
    return (
      shown.map { $0.shortened(to: most.letters) }
        + (isCut ? ["\(names.count - shown.count) others"] : []),
      Dictionary(uniqueKeysWithValues: zip(shown, shown.indices))
    )
  }

  /// Blocks by group, in the order in which groups come, and by number; what lies in no block comes last.
  private static func columns(_ layers: [LayerPlace]) -> ([Column], [String: Int]) {
    let groups = distinct(layers.filter(\.isInBlock).map(\.group))
    let byGroup = Dictionary(grouping: layers.filter(\.isInBlock), by: \.group)
    var found: [(block: String, column: Column)] = []
    for group in groups {
      let numbers = Set(byGroup[group, default: []].map(\.numbers))
        .sorted(by: LayerPlace.areInOrder)
      // Blocks within blocks stand together.
      let isDeep = numbers.contains { $0.count > 1 }
      for numbers in numbers {
        let first = isDeep ? 1 : 0
        let block = LayerPlace.block(group, numbers[...])
        let column = Column(
          numbers.dropFirst(first).joined(separator: "."),
          in: LayerPlace.block(group, numbers.prefix(first)).shortened(to: most.letters),
          name: block.shortened(to: most.letters))
        found.append((block, column))
      }
    }
    if layers.contains(where: { !$0.isInBlock }) {
      found.append(("", Column("", in: "others", name: "")))
    }
    let isCut = found.count > most.columns
    let shown = isCut ? found.prefix(most.columns - 1) : found[...]
    return (
      shown.map(\.column) + (isCut ? [Column("", in: "\(found.count - shown.count) others")] : []),
      Dictionary(
        zip(shown.map(\.block), shown.indices), uniquingKeysWith: { first, _ in first })
    )
  }

  /// Whether most would look alike on a linear scale.
  private static func spansDecades(_ values: [Double]) -> Bool {
    let positive = values.filter { $0 > 0 && $0.isFinite }.sorted()
    guard positive.count > 1 else { return false }
    // A few that are far from all others do not count.
    let margin = positive.count / 20
    return positive[positive.count - 1 - margin] / positive[margin] > 30
  }

  /// In the order in which they come first.
  private static func distinct(_ values: [String]) -> [String] {
    var seen: Set<String> = []
    return values.filter { seen.insert($0).inserted }
  }
}
