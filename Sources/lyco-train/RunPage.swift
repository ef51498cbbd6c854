import CommandSupport
import Operations
import Reports
import Training

/// How a run gets on, as a page.
struct RunPage {
  private let run: RunDescription
  private let history: TrainingHistory
  private let pictures: SamplePictures
  private let refreshSeconds: Int?

  /// Blocks of which norms are drawn as curves.
  private static let mostCurves = 8

  init(_ run: RunDescription, _ pictures: SamplePictures, refreshSeconds: Int?) {
    (self.run, self.pictures, self.refreshSeconds) = (run, pictures, refreshSeconds)
    history = run.history
  }

  var html: String {
    var page = HTMLPage(
      "Training", subtitle: FileLabel.name(run.output), tool: "lyco-train",
      refreshSeconds: refreshSeconds)
    page.section("Summary", summary)
    page.section("Loss", losses)
    page.section("Learning rates", rates)
    page.section("Norms", norms)
    page.section("Samples", samples)
    page.section("Data", data)
    page.section("Settings", settings)
    page.embed(run.json, as: TrainingHistory.marker)
    return page.html
  }

  // MARK: Sections

  private func summary(_ content: inout HTMLContent) {
    switch run.status {
    case .starting:
      content.notice(
        .note, "The run begins: this page is written anew from the first step on.",
        advice: "Before it weights are read, and images and captions encoded that are to be kept.")
    case .running:
      let left = run.secondsPerStep.map { $0 * Double(run.steps - history.step) }
      content.notice(
        .note, "The run goes on: this page is written anew while it does.",
        advice: left.map { "About \(RunSummary.duration($0)) left." })
    case .finished: content.notice(.good, "The run is finished: \(run.output).")
    case .interrupted:
      content.notice(
        .note, "The run was interrupted.",
        advice: run.message ?? "Nothing was saved.")
    case .failed: content.notice(.fault, run.message ?? "The run failed.")
    }
    let loss = history.epochLosses.last?.value ?? history.series["loss/average"]?.entries.last?.mean
    content.figures([
      .init("Step", "\(history.step)", "of \(run.steps)"),
      .init("Epoch", "\(max(history.epoch, 1))", "of \(run.epochs)"),
      .init("Loss", loss?.short ?? "–", "mean of the last epoch"),
      .init(
        "Held out", history.validation.last?.value.short ?? "–",
        history.validation.isEmpty
          ? "no images are held out" : "after step \(history.validation.last?.step ?? 0)"),
      .init(
        "Time", run.secondsPerStep.map { "\($0.short) s" } ?? "–", "per step"),
    ])
    for notice in run.notices { content.notice(.note, notice) }
  }

  private func losses(_ content: inout HTMLContent) {
    guard let raw = history.series["loss/current"], !raw.entries.isEmpty else { return }
    var series: [LineChart.Series] = [
      .init(raw.width > 1 ? "mean of \(raw.width) steps" : "step", Self.points(raw), style: .faint),
      .init("smoothed", Self.smoothed(raw)),
    ]
    if !history.validation.isEmpty {
      series.append(.init("held out", Self.points(history.validation), style: .dottedLine))
    }
    if history.epochLosses.count > 1 {
      series.append(.init("mean of an epoch", Self.points(history.epochLosses), style: .dashed))
    }
    content.chart(
      LineChart("Loss by step", x: .whole("step"), y: .linear("loss"), series))
    content.remark(
      "Smoothed is the mean over the neighbours, about a twentieth of the steps, at both ends fewer."
    )
  }

  private func rates(_ content: inout HTMLContent) {
    let names = history.series.keys.filter { $0.hasPrefix("lr/") && !$0.hasPrefix("lr/d*lr/") }
      .sorted()
    let series = names.compactMap { name in
      history.series[name].map {
        LineChart.Series(String(name.dropFirst("lr/".count)), Self.points($0))
      }
    }
    guard !series.isEmpty else { return }
    content.chart(
      LineChart(
        "Learning rate", x: .whole("step"), y: .linear("rate", including: [0]),
        Array(series.prefix(8))))
    let adapted = history.series.keys.filter { $0.hasPrefix("lr/d*lr/") }.sorted()
    let found = adapted.compactMap { name in
      history.series[name].map {
        LineChart.Series(String(name.dropFirst("lr/d*lr/".count)), Self.points($0))
      }
    }
    if !found.isEmpty {
      content.chart(
        LineChart(
          "Rate as the optimizer found it, d · lr", x: .whole("step"), y: .logarithmic("d · lr"),
          Array(found.prefix(8))))
    }
  }

  private func norms(_ content: inout HTMLContent) {
    let measure = history.normsAreChanges ? "‖ΔW‖" : "norm of what is trained"
    if let last = history.norms.last {
      let blocks = last.blocks.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
      if history.norms.count > 1 {
        let series = blocks.prefix(Self.mostCurves).map { block, _ in
          LineChart.Series(
            block,
            history.norms.compactMap { norms in
              norms.blocks[block].map { .init(Double(norms.step), $0) }
            })
        }
        content.chart(
          LineChart(
            "\(measure) of the blocks that have most", x: .whole("step"),
            y: .linear(measure, including: [0]), Array(series)))
      }
      let bars = BarChart(
        "\(measure) by block after step \(last.step)",
        blocks.map { .init($0.key, $0.value, $0.value.short) })
      if blocks.count > 24 {
        content.details("All blocks") { $0.bars(bars) }
      } else {
        content.bars(bars)
      }
    }
    if let gradients = history.series["norm/grad_norm"], gradients.entries.count > 1 {
      content.chart(
        LineChart(
          "Norm of all gradients, before they are clipped", x: .whole("step"),
          y: .linear("norm", including: [0]),
          [
            .init("step", Self.points(gradients), style: .faint),
            .init("smoothed", Self.smoothed(gradients)),
          ]))
    }
  }

  private func samples(_ content: inout HTMLContent) {
    let prompts = Set(history.samples.map(\.promptIndex)).sorted()
    for index in prompts {
      let own = history.samples.filter { $0.promptIndex == index }
      guard let prompt = own.last?.prompt else { continue }
      content.heading(prompt.isEmpty ? "No prompt" : prompt)
      content.pictures(
        own.compactMap { sample in
          pictures.png(of: sample).map {
            (
              png: $0, caption: "step \(sample.step)",
              alternative: "sample of step \(sample.step), seed \(sample.seed)"
            )
          }
        })
    }
  }

  private func data(_ content: inout HTMLContent) { content.list(run.facts) }

  private func settings(_ content: inout HTMLContent) {
    content.facts([
      ("base", run.base), ("family", run.family), ("adapter", run.output),
      ("seed", "\(run.seed)"), ("options", run.options.joined(separator: "\n")),
    ])
  }

  // MARK: Numbers

  private static func points(_ series: BoundedSeries) -> [LineChart.Point] {
    series.entries.map { .init(Double($0.step), $0.mean) }
  }

  private static func points(_ points: [TrainingHistory.Point]) -> [LineChart.Point] {
    points.map { .init(Double($0.step), $0.value) }
  }

  /// The mean over neighbours, at both ends over fewer.
  private static func smoothed(_ series: BoundedSeries) -> [LineChart.Point] {
    let entries = series.entries
    let reach = max(1, entries.count / 40)
    return entries.indices.map { index in
      let window = entries[max(index - reach, 0)...min(index + reach, entries.count - 1)]
      let count = window.reduce(0) { $0 + $1.count }
      let sum = window.reduce(0) { $0 + $1.mean * Double($1.count) }
      return .init(Double(entries[index].step), sum / Double(max(count, 1)))
    }
  }
}
