extension HeatMap {
  /// Maps of layers by block and kind, one for each component of the model, in the order in which they come.
  /// - Parameters:
  ///   - title: of one map; the component is added where there are several.
  ///   - cell: the number of some layers of one kind in one block, by their places in `layers`; nil for none.
  package static func maps(
    _ title: String, measure: String, isLogarithmic: Bool = false, of layers: [BlockPlace],
    cell: ([Int]) -> Cell?
  ) -> [HeatMap] {
    let components = distinct(layers.map(\.component))
    return components.map { component in
      // What lies in no block comes last.
      let all = layers.indices.filter { layers[$0].component == component }
      let own = all.filter { !layers[$0].group.isEmpty } + all.filter { layers[$0].group.isEmpty }
      let rows = distinct(own.map { layers[$0].kind })
      let places = own.map { layers[$0] }
      // Blocks of a group beside each other, however layers alternate.
      let columns = distinct(places.map(\.groupName)).flatMap { group in
        distinct(places.filter { $0.groupName == group }.map(\.column))
      }
      let rowPlaces = Dictionary(
        rows.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
      var members = [[[Int]]](
        repeating: Array(repeating: [], count: columns.count), count: rows.count)
      for index in own {
        let place = layers[index]
        guard let row = rowPlaces[place.kind], let column = columns.firstIndex(of: place.column)
        else { continue }
        members[row][column].append(index)
      }
      return HeatMap(
        components.count > 1 ? "\(title), \(component)" : title, measure: measure,
        isLogarithmic: isLogarithmic, rows: rows, columns: columns,
        cells: members.map { $0.map { $0.isEmpty ? nil : cell($0) } })
    }
  }

  /// In the order in which they come first.
  private static func distinct<Value: Equatable>(_ values: [Value]) -> [Value] {
    var found: [Value] = []
    for value in values where !found.contains(value) { found.append(value) }
    return found
  }
}

extension BlockPlace {
  fileprivate var groupName: String { group.isEmpty ? "others" : group }
  fileprivate var column: HeatMap.Column { HeatMap.Column(number, in: groupName) }
}
