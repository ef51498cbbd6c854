import Checkpoints
import CommandSupport
import Operations

extension InspectionText {
  /// What was asked for beyond the summary. Numbers stand before names, which may be long.
  mutating func writeDetails() {
    if let match = report.match { write(match) }
    if let reading = report.reading { write(reading) }
    if let check = report.check { write(check) }
    if let keys = report.keys { write(keys) }
    if let statistics = report.statistics { write(statistics) }
    if let spectra = report.spectra { write(spectra) }
    if let difference = report.difference { write(difference) }
  }

  private mutating func write(_ match: BaseMatch) {
    let total = match.matched + match.unmatched.count + match.misshapen.count
    section("against \(match.base.printable) (\(match.family))")
    line("  \(match.matched) of \(total) modules match, of \(match.layers) layers of the base")
    if let misfit = match.misfit { line("  \(misfit)".printable) }
    let faults =
      match.unmatched.map { "unmatched: \($0.module): \($0.reason)" }
      + match.misshapen.map { "shape: \($0.module): \($0.reason)" }
    let limit = limit ?? 10
    let shown = limit > 0 ? faults.prefix(limit) : faults[...]
    for fault in shown { line("  \(fault)".printable) }
    if shown.count < faults.count {
      line("  … and \(faults.count - shown.count) more; '--limit 0' shows all")
    }
  }

  private mutating func write(_ reading: AdapterReading) {
    section("read by \(reading.title), from names of '\(reading.format)'")
    table(
      ["", "modules", "algorithm"], rightAligned: [1],
      reading.kinds.map { [$0.verdict.rawValue, $0.modules.grouped, $0.algorithm.algorithmLabel] })
    for text in ReadingFinding.texts(of: reading.findings, command: "lyco-convert") {
      fact("note", text)
    }
    fact("as of", reading.source)
  }

  private mutating func write(_ check: InspectionReport.Check) {
    section("check")
    for finding in check.findings { line("  finding: \(finding)".printable) }
    for note in check.notes { line("  note: \(note)".printable) }
    if check.findings.isEmpty { line("  nothing wrong") }
  }

  private mutating func write(_ keys: [InspectionReport.Key]) {
    section("tensors")
    table(
      ["dtype", "shape", "bytes", "name"], rightAligned: [2],
      keys.map { [$0.dtype, "\($0.shape)", $0.bytes.grouped, $0.name] }, limit: limit ?? 0)
  }

  private mutating func write(_ statistics: [TensorStatistics]) {
    section(report.adapter == nil ? "values" : "values of the factors, and the norm of scale × ΔW")
    let isAdapter = report.adapter != nil
    var header = ["mean |x|", "max |x|", "norm", "zeros"]
    if isAdapter { header += ["rank", "‖ΔW‖"] }
    table(
      header + ["name"], rightAligned: Set(header.indices),
      statistics.map { row in
        var cells = [
          row.absMean.short, row.absMax.short, row.frobenius.short, row.zeros.grouped,
        ]
        if isAdapter { cells += [row.rank.map(String.init) ?? "-", row.deltaNorm?.short ?? "-"] }
        let faults = row.isFinite ? "" : " (\(row.nan) NaN, \(row.infinite) infinite)"
        return cells + [row.name + faults]
      }, limit: limit ?? 0)
  }

  private mutating func write(_ spectra: [Spectrum]) {
    section(
      (report.adapter == nil ? "singular values" : "singular values of scale × ΔW")
        + "; 90 %: how many hold that share of the energy")
    let shown = limit ?? 0
    for spectrum in shown > 0 ? spectra.prefix(shown) : spectra[...] {
      line("  \(spectrum.name)".printable)
      let facts = [
        spectrum.rank.map { "rank \($0)" }, "effective \(spectrum.effectiveRank)",
        "90 %: \(spectrum.rank90)", "norm \(spectrum.norm.short)",
      ].compactMap { $0 }
      line("    " + facts.joined(separator: ", "))
      let values = spectrum.values.map { Double($0).short }.joined(separator: " ")
      for row in values.wrapped(to: Self.width - 4) { line("    " + row) }
    }
  }

  private mutating func write(_ difference: FileDifference) {
    section("differences from \(difference.other.printable)")
    line("  compared: \(difference.comparison.rawValue)")
    let isOfChanges = difference.comparison == .changes
    let noun = isOfChanges ? "module" : "tensor"
    let metadata = difference.metadata.map { "'\($0)'" }.joined(separator: ", ")
    if difference.hasEqualTensors {
      line(
        "  equal: all \(difference.equal.counted(noun))"
          + (metadata.isEmpty ? " and the metadata" : ""))
    } else {
      line(
        "  \(difference.equal.grouped) \(noun)s equal, \(difference.changed.count.grouped) changed, "
          + "\(difference.reshaped.count.grouped) of another \(isOfChanges ? "kind" : "format") or shape, "
          + "\(difference.onlyHere.count.grouped) only here, "
          + "\(difference.onlyThere.count.grouped) only there")
    }
    if let total = difference.total, !difference.hasEqualTensors {
      line(
        "  in all: relative distance \(total.relativeChange?.short ?? "-"), "
          + "cosine \(total.cosine?.formatted(decimals: 6) ?? "-")")
    }
    if !metadata.isEmpty { fact("metadata differ", metadata, column: 20) }
    list("only here", difference.onlyHere.map { [$0] }, ["name"])
    list("only there", difference.onlyThere.map { [$0] }, ["name"])
    list(
      "of another \(isOfChanges ? "kind" : "format") or shape",
      difference.reshaped.map { [$0.here, $0.there, $0.name] }, ["here", "there", "name"])
    list(
      "changed, the largest change first",
      difference.changed.map { row in
        [row.change?.short ?? "-", row.relativeChange?.short ?? "-"]
          + (isOfChanges ? [row.cosine?.formatted(decimals: 4) ?? "-"] : [])
          + [row.name + (row.note.map { " (\($0))" } ?? "")]
      }, ["‖Δ‖", "relative"] + (isOfChanges ? ["cosine"] : []) + ["name"],
      rightAligned: isOfChanges ? [0, 1, 2] : [0, 1])
  }

  private mutating func list(
    _ title: String, _ rows: [[String]], _ header: [String], rightAligned: Set<Int> = []
  ) {
    guard !rows.isEmpty else { return }
    section(title)
    table(header, rightAligned: rightAligned, rows, limit: limit ?? 20)
  }
}
