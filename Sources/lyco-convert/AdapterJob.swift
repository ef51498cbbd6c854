import ArgumentParser
import Checkpoints
import CommandSupport
import Machine
import ModelFamilies
import Operations
import Safetensors
import SystemPackage

/// Adapters converted, and several made one, as the command line asks.
struct AdapterJob {
  let settings: AdapterConversionSettings
  let strength: StrengthOptions
  let combination: CombinationOptions
  let rank: ResizeOptions
  let base: FilePath?
  /// Adapters as they were before training, for those that did not begin at zero.
  let initial: [FilePath]
  let job: JobOptions
  /// The input that warnings name, where others are converted beside it.
  let subject: FilePath?

  /// Makes one adapter of the inputs; of a DyLoRA one for each of its ranks.
  func run(_ inputs: [TensorFile], writing output: FilePath) async throws {
    guard base != nil || !rank.bakesMagnitudes else {
      throw ValidationError(
        "'--bake_dora' needs '--base', the checkpoint whose weights the magnitudes are of")
    }
    let adapters = try AdapterFile.changes(of: inputs, since: initial).enumerated().map {
      strength.weighted($1, at: $0)
    }
    var settings = settings
    let family = settings.family
    let base = try base.map { try BaseModel(opening: $0, as: family) }
    settings.combination = try combination.settings(rank, adapterCount: inputs.count)
    settings.combination.base = base
    settings.reshaping = rank.settings(base: base)
    let slices = try rank.slices(of: adapters.flatMap(\.file.modules), output: output)
    let outputs = slices?.map { ($0.rank as Int?, $0.output) } ?? [(nil, output)]
    try job.protect(
      inputs + (base.map { [$0.file] } ?? []),
      from: outputs.flatMap { AdapterFormat.files(for: $1) }
        + (rank.report.map { [FilePath(named: $0)] } ?? []))
    var written: [FilePath] = []
    for (rank, output) in outputs {
      settings.reshaping.slice = rank
      do {
        try await write(
          AdapterConversion(adapters, settings: settings, base: base?.layout), to: output)
      } catch is CancellationError {
        throw Interruption(written: written, of: outputs.count)
      }
      written.append(output)
    }
  }

  private func write(_ conversion: AdapterConversion, to output: FilePath) async throws {
    let summary = ConversionSummary(asJSON: job.asJSON, isQuiet: job.quiet, subject: subject)
    let progress = job.quiet ? ProgressLine(isVisible: false) : ProgressLine()
    defer { progress.finish() }
    if job.isDryRun {
      let plan = try await conversion.plan(writing: output, progress: progress.reporter)
      progress.finish()
      summary.warn(plan)
      summary.print(plan: plan)
      return describe(plan.reshaping)
    }
    let report = try await conversion.run(writing: output, progress: progress.reporter) {
      progress.finish()
      summary.warn($0)
    }
    summary.print(report)
    if let reshaping = report.reshaping {
      try LateFailure.after(output) { try rank.write(reshaping) }
    }
    describe(report.reshaping)
  }

  private func describe(_ reshaping: ReshapingReport?) {
    guard let reshaping, !job.asJSON, !job.quiet else { return }
    ReshapingSummary(isVerbose: job.verbose).print(reshaping)
  }
}
