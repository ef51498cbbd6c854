import CommandSupport
import Operations
import Reports

/// A catalogue as a page for browsers.
struct CataloguePage {
  let catalogue: Catalogue

  var html: String {
    var page = HTMLPage(
      "Catalogue", subtitle: FileLabel.name(catalogue.folder), tool: "lyco-inspect")
    page.section("Overview", writeOverview)
    for (title, kind) in [
      ("Adapters", InspectedKind.adapter), ("Checkpoints", .checkpoint), ("Embeddings", .embedding),
      ("Of unknown kind", .unknown),
    ] {
      page.section(title) { write(catalogue.entries.filter { $0.kind == kind }, kind, &$0) }
    }
    page.section("Duplicates", writeDuplicates)
    page.section("Broken files", writeFaults)
    return page.html
  }

  private func writeOverview(_ content: inout HTMLContent) {
    func count(_ kind: InspectedKind) -> Int { catalogue.entries.count { $0.kind == kind } }
    var figures: [HTMLContent.Figure] = [
      .init("adapters", count(.adapter).grouped), .init("checkpoints", count(.checkpoint).grouped),
      .init("size", "\(ByteCount(catalogue.bytes))"),
    ]
    let spare = catalogue.duplicates.reduce(0) { $0 + $1.bytes }
    figures.append(
      .init(
        "duplicates", catalogue.duplicates.reduce(0) { $0 + $1.files.count - 1 }.grouped,
        spare > 0 ? "\(ByteCount(spare)) twice" : ""))
    figures.append(.init("broken files", catalogue.faults.count.grouped))
    content.figures(figures)
    content.facts([("folder", catalogue.folder), ("contents", catalogue.summary)])
    let families = Dictionary(grouping: catalogue.entries.filter { $0.kind == .adapter }) {
      $0.family ?? "unknown"
    }.map { (name: $0.key, count: $0.value.count) }.sorted {
      ($1.count, $0.name) < ($0.count, $1.name)
    }
    if families.count > 1 {
      content.bars(
        BarChart(
          "Adapters by family",
          families.map { .init($0.name, Double($0.count), $0.count.grouped) }))
    }
  }

  private func writeFaults(_ content: inout HTMLContent) {
    guard !catalogue.faults.isEmpty else { return }
    content.limited(
      DataTable(
        [.text("file"), .text("what was found")],
        catalogue.faults.prefix(InspectionPage.rowLimit).map {
          [
            $0.file.printable,
            $0.reason.withoutBeginning("\(catalogue.folder)/\($0.file): ").printable,
          ]
        }), of: catalogue.faults.count)
  }

  private func write(
    _ entries: [CatalogueEntry], _ kind: InspectedKind, _ content: inout HTMLContent
  ) {
    guard !entries.isEmpty else { return }
    let isAdapter = kind == .adapter
    let hasTags = entries.contains { !$0.tags.isEmpty || $0.triggerPhrase != nil }
    var columns: [DataTable.Column] = [.text("file"), .text("title"), .text("family")]
    if isAdapter { columns += [.text("algorithm"), .number("rank"), .number("modules")] }
    columns += [.number("size"), .text("format"), .text("date")]
    if isAdapter { columns.append(.text("base")) }
    if hasTags { columns.append(.text("words")) }
    content.limited(
      DataTable(
        columns,
        entries.prefix(InspectionPage.rowLimit).map { entry in
          var cells = [
            entry.file.printable, (entry.title ?? "").shortened(to: 60), entry.family ?? "",
          ]
          if isAdapter { cells += [entry.label, entry.rankText, entry.modules.grouped] }
          cells += [
            "\(ByteCount(entry.bytes))", entry.dtypes.prefix(2).joined(separator: ", "),
            String((entry.date ?? entry.modified ?? "").prefix(10)),
          ]
          if isAdapter { cells.append(entry.baseText(false)) }
          if hasTags {
            cells.append(
              (entry.triggerPhrase ?? entry.tags.prefix(5).joined(separator: ", ")).shortened(
                to: 80))
          }
          return cells
        }), of: entries.count)
  }

  private func writeDuplicates(_ content: inout HTMLContent) {
    guard !catalogue.duplicates.isEmpty else { return }
    content.limited(
      DataTable(
        [.number("size"), .text("files with the same tensors")],
        catalogue.duplicates.prefix(InspectionPage.rowLimit).map {
          ["\(ByteCount($0.bytes))", $0.files.map(\.printable).joined(separator: "\n")]
        }), of: catalogue.duplicates.count)
    content.remark("Compared: \(catalogue.compared). The size is that of all but one.")
  }
}

extension String {
  /// Errors begin with the path.
  fileprivate func withoutBeginning(_ beginning: String) -> String {
    hasPrefix(beginning) ? String(dropFirst(beginning.count)) : self
  }
}
