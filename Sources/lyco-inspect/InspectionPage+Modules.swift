import CommandSupport
import Operations
import Reports

extension InspectionPage {
  func writeModules(_ content: inout HTMLContent) {
    guard let adapter = report.adapter else { return }
    if let statistics = report.statistics, !statistics.isEmpty {
      writeStrength(statistics, &content)
      writeRanks(statistics, &content)
      let spectra = Dictionary(
        (report.spectra ?? []).map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
      writeEffectiveRanks(statistics, spectra, &content)
      content.details("All \(statistics.count.counted("module"))") {
        $0.limited(Self.table(of: statistics, spectra), of: statistics.count)
      }
    }
    content.heading("By kind of block")
    content.table(
      DataTable(
        [
          .text("component"), .text("block"), .text("algorithm"), .number("modules"),
          .number("rank"), .number("alpha"), .number("scale"), .number("parameters"),
        ],
        adapter.groups.map {
          [
            $0.component, $0.block.shortened(to: 60), $0.algorithm.algorithmLabel,
            $0.modules.grouped, $0.ranks.summary(of: $0.modules), $0.alphaSummary,
            $0.scales.summary(of: $0.modules), $0.parameters.grouped,
          ]
        }))
  }

  // MARK: Pictures

  private func writeStrength(_ statistics: [TensorStatistics], _ content: inout HTMLContent) {
    let parts = Dictionary(grouping: statistics, by: \.part).compactMap { part, rows in
      Self.totalNorm(rows).map { (part: part, norm: $0) }
    }.sorted { ($1.norm, $0.part) < ($0.norm, $1.part) }
    if parts.count > 1 {
      content.bars(
        BarChart(
          "Strength by part of the model, ‖ΔW‖",
          parts.prefix(16).map { .init($0.part, $0.norm, $0.norm.short) }))
    }
    let isKnown = write(
      "Strength by block and layer", "‖ΔW‖", of: statistics, in: &content
    ) { modules in
      let norms = modules.compactMap(\.deltaNorm)
      return norms.isEmpty ? nil : .init(norms.normOfWhole, norms.normOfWhole.short)
    }
    if isKnown {
      content.remark(
        "‖ΔW‖ is the Frobenius norm of what a module adds to its weight at strength 1. Hover over a cell for its name and number."
      )
    } else {
      content.remark(
        "What these modules change depends on the weight: '--against BASE' measures it.")
    }
    let isMeasured = write(
      "Change relative to the weight", "‖ΔW‖ / ‖W‖", of: statistics, in: &content
    ) { modules in
      let own = modules.filter { $0.relativeChange != nil }
      let norms = own.compactMap(\.weightNorm)
      guard !norms.isEmpty, norms.normOfWhole > 0 else { return nil }
      let change = zip(own, norms).map { ($0.relativeChange ?? 0) * $1 }.normOfWhole
      return .init(change / norms.normOfWhole, (change / norms.normOfWhole).short)
    }
    if isMeasured { content.remark("How much of its weight in the base each module changes.") }
  }

  private func writeRanks(_ statistics: [TensorStatistics], _ content: inout HTMLContent) {
    guard Set(statistics.compactMap(\.rank)).count > 1 else { return }
    write("Rank", "rank", of: statistics, in: &content) { Self.cell($0.compactMap(\.rank)) }
  }

  private func writeEffectiveRanks(
    _ statistics: [TensorStatistics], _ spectra: [String: Spectrum], _ content: inout HTMLContent
  ) {
    guard !spectra.isEmpty else { return }
    let isFull = statistics.allSatisfy { row in
      guard let found = spectra[row.name] else { return true }
      return found.effectiveRank == row.rank
    }
    if !isFull {
      write(
        "Effective rank", "singular values above 10⁻⁶ of the largest", of: statistics, in: &content
      ) { Self.cell($0.compactMap { spectra[$0.name]?.effectiveRank }) }
    }
    write(
      "Ranks that hold 90 % of the change", "ranks for 90 % of ‖ΔW‖²", of: statistics, in: &content
    ) { Self.cell($0.compactMap { spectra[$0.name]?.rank90 }) }
  }

  /// Maps of one measure, without tables: that of all modules has the numbers of all maps side by side.
  /// - Parameter cell: nil for modules whose number is not known.
  /// - Returns: whether any number is known.
  @discardableResult
  private func write(
    _ title: String, _ measure: String, of statistics: [TensorStatistics],
    in content: inout HTMLContent, _ cell: ([TensorStatistics]) -> HeatMap.Cell?
  ) -> Bool {
    let placed = statistics.filter { $0.place != nil }
    let maps = HeatMap.maps(title, measure: measure, of: placed.compactMap(\.place)) { members in
      cell(members.map { placed[$0] })
    }
    for map in maps { content.map(map, hasTable: false) }
    return !maps.isEmpty
  }

  /// The greatest of some ranks.
  private static func cell(_ ranks: [Int]) -> HeatMap.Cell? {
    guard let least = ranks.min(), let most = ranks.max() else { return nil }
    return .init(Double(most), least == most ? most.grouped : "\(least.grouped) to \(most.grouped)")
  }

  private static func table(
    of statistics: [TensorStatistics], _ spectra: [String: Spectrum]
  ) -> DataTable {
    let hasBase = statistics.contains { $0.relativeChange != nil }
    let isFinite = statistics.allSatisfy(\.isFinite)
    var columns: [DataTable.Column] = [
      .text("module"), .text("algorithm"), .number("rank"), .number("scale"), .number("‖ΔW‖"),
    ]
    if hasBase { columns.append(.number("relative")) }
    if !spectra.isEmpty {
      columns += [.number("effective"), .number("90 %"), .number("largest σ")]
    }
    if !isFinite { columns.append(.text("")) }
    return DataTable(
      columns,
      statistics.prefix(rowLimit).map { row in
        var cells = [
          row.name.shortened(to: nameLength), row.algorithm?.algorithmLabel ?? "",
          row.rank.map(String.init) ?? "–",
          row.scale.map { Double($0).plain } ?? "–", row.deltaNorm?.short ?? "–",
        ]
        if hasBase { cells.append(row.relativeChange?.short ?? "–") }
        if !spectra.isEmpty {
          let found = spectra[row.name]
          cells += [
            found.map { "\($0.effectiveRank)" } ?? "–", found.map { "\($0.rank90)" } ?? "–",
            found?.values.first.map { Double($0).short } ?? "–",
          ]
        }
        if !isFinite {
          cells.append(row.isFinite ? "" : "\(row.nan) NaN, \(row.infinite) infinite")
        }
        return cells
      })
  }

  // MARK: Spectra

  func writeSpectra(_ content: inout HTMLContent) {
    guard let spectra = report.spectra, !spectra.isEmpty else { return }
    let noun = report.adapter == nil ? "weight" : "module"
    content.chart(Self.decay(of: spectra, noun: noun))
    content.remark(
      "Each \(noun)'s singular values, divided by its largest. A curve that falls early can be stored at a lower rank."
    )
    let largest = spectra.filter { $0.norm.isFinite }.sorted {
      ($1.norm, $0.name) < ($0.norm, $1.name)
    }.prefix(6)
    content.chart(
      LineChart(
        "Singular values of the \(largest.count) largest \(noun)s", x: .whole("number"),
        y: .logarithmic("singular value"),
        largest.map { spectrum in
          .init(
            spectrum.name.shortened(to: 80),
            spectrum.values.enumerated().map { .init(Double($0 + 1), Double($1)) })
        }))
    guard report.adapter == nil else { return }
    content.details("All \(spectra.count.counted("weight"))") { content in
      content.limited(
        DataTable(
          [.text("weight"), .number("effective rank"), .number("90 %"), .number("norm")],
          spectra.prefix(Self.rowLimit).map {
            [
              $0.name.shortened(to: Self.nameLength), "\($0.effectiveRank)", "\($0.rank90)",
              $0.norm.short,
            ]
          }), of: spectra.count)
    }
  }

  /// Half of the modules lie between the quarters.
  private static func decay(of spectra: [Spectrum], noun: String) -> LineChart {
    let curves = spectra.compactMap { spectrum -> [Double]? in
      guard let first = spectrum.values.first, first > 0 else { return nil }
      return spectrum.values.map { Double($0) / Double(first) }
    }
    let length = curves.map(\.count).max() ?? 0
    func quantile(_ share: Double) -> [LineChart.Point] {
      (0..<length).compactMap { index in
        // Numerical zeros would pull the axis down to where nothing is to be seen.
        let values = curves.filter { $0.count > index }.map { max($0[index], 1e-6) }.sorted()
        guard !values.isEmpty else { return nil }
        return .init(Double(index + 1), values[Int(share * Double(values.count - 1) + 0.5)])
      }
    }
    return LineChart(
      "How the singular values fall", x: .whole("number"),
      y: .logarithmic("relative to the largest"),
      [
        .init("median of the \(noun)s", quantile(0.5)),
        .init("upper quarter", quantile(0.75), style: .dashed),
        .init("lower quarter", quantile(0.25), style: .dashed),
      ])
  }
}

extension TensorStatistics {
  /// `unet down_blocks`: the component and the group of blocks.
  fileprivate var part: String {
    let group = place.flatMap { $0.group.isEmpty ? nil : $0.group }
    return [component, group ?? layer].compactMap { $0 }.joined(separator: " ").shortened(to: 60)
  }
}
