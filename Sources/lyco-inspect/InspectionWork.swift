import Checkpoints
import CommandSupport
import ModelFamilies
import Operations
import Safetensors
import SystemPackage

/// What is to be found out about every file.
struct InspectionWork {
  let details: DetailOptions
  let comparison: ComparisonOptions.Opened
  let family: ModelFamily?
  let reader: AdapterReader?
  let output: OutputOptions

  func report(on path: FilePath) async throws -> InspectionReport {
    var inspection = try Inspection(
      opening: path, as: family, reading: needsValues ? .everything : .headers)
    // A page shows what an adapter does. A checkpoint is measured where that is asked for.
    let showsAll = output.page != nil && inspection.kind == .adapter
    if showsAll, !inspection.hasValues {
      inspection = try Inspection(opening: path, as: family)
    }
    var report = inspection.report()
    for notice in inspection.notices(on: details.pattern) {
      StandardError.say("warning: \(path): \(notice)")
    }
    if details.showsKeys { report.keys = inspection.keys(details.pattern) }
    if let base = comparison.base { report.match = try inspection.match(with: base) }
    if let reader { report.reading = try inspection.reading(by: reader) }
    guard needsValues || showsAll else { return report }
    let threads = details.prepareThreads()
    let progress = output.quiet ? ProgressLine(isVisible: false) : ProgressLine()
    defer { progress.finish() }
    if details.showsStatistics || showsAll {
      report.statistics = try await inspection.statistics(
        details.pattern, against: comparison.base, threads: threads, progress: progress.reporter)
    }
    if details.showsSpectra || showsAll {
      report.spectra = try await inspection.spectra(
        details.pattern, leading: details.givenLeading ?? (output.page == nil ? 8 : 32),
        threads: threads, progress: progress.reporter)
    }
    if details.checks || showsAll {
      report.check = try await inspection.check(threads: threads, progress: progress.reporter)
    }
    if let other = comparison.other {
      report.difference = try await inspection.difference(
        from: other, details.pattern, threads: threads, progress: progress.reporter)
    }
    return report
  }

  private var needsValues: Bool {
    details.showsStatistics || details.showsSpectra || details.checks || comparison.other != nil
  }
}
