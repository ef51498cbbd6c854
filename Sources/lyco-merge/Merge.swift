import ArgumentParser
import Checkpoints
import CommandSupport
import Machine
import Operations
import Reports
import Safetensors
import SystemPackage

/// `lyco-merge BASE ADAPTER… --ratio R… -o OUT`
@main
struct Merge: Tool {
  static let configuration = CommandConfiguration(
    commandName: "lyco-merge",
    abstract: "Bake adapters into a checkpoint.",
    discussion: """
      Every adapter module changes the weight it was made for, W + ratio × (W' − W), in f32, all \
      adapters before one rounding. What no adapter touches is copied byte for byte.

      EXAMPLES
        lyco-merge base.safetensors adapter.safetensors -o merged.safetensors
        lyco-merge base.safetensors a.safetensors b.safetensors \\
          --ratio 0.7 -0.3 -o merged.safetensors
        lyco-merge base.safetensors a.safetensors -o merged.safetensors \\
          --unet_ratio 1 --te_ratio 0.5
        lyco-merge diffusers-folder/ a.safetensors -o merged-folder/

      EXIT STATUS
        0 done, 1 the work failed, 64 wrong usage, 130 interrupted
      """,
    version: Suite.version)

  static let options = OptionTable.merge
  static let normalization = ArgumentNormalization(
    of: options, positionals: ["sd_model", "models"], ignored: KohyaOptions.ignored)

  @Argument(
    help: "The checkpoint to merge into; it is not changed unless it is the output too.",
    completion: .file())
  var base: String

  @Argument(help: "Adapters, added in this order.", completion: .file())
  var adapters: [String]

  @Option(
    name: [.customShort("o"), .customLong("output"), .customLong("save_to")],
    help: ArgumentHelp(
      "The checkpoint to write: a file, or a folder if the base is one. May be the base itself.",
      valueName: "path"),
    completion: .file())
  var output: String?

  @OptionGroup(title: "Strength") var strength: StrengthOptions
  @OptionGroup(title: "Block weights") var blocks: BlockOptions
  @OptionGroup(title: "Assertions") var asserted: AssertionOptions
  @OptionGroup(title: "Assertions") var beginnings: InitialAdapterOptions
  @OptionGroup(title: "Output") var format: MergeOutputOptions
  @OptionGroup(title: "Patterns") var selection: SelectionOptions
  @OptionGroup(title: "Checkpoints") var family: FamilyOptions
  @OptionGroup(title: "Job") var job: JobOptions

  func validate() throws {
    guard output != nil || job.isDryRun else {
      throw ValidationError("expected an output: '-o OUT'; '--dry_run' shows the plan without one")
    }
    try strength.check(adapterCount: adapters.count)
  }

  func work(_ given: GivenOptions) async throws {
    let reportPath = format.reportPath.map { FilePath(named: $0) }
    var settings = MergeSettings(
      storage: format.precision?.dtype, filter: try selection.filter(),
      isLenient: format.isLenient, assertions: asserted.assertions,
      threads: job.prepareThreads(), shardSize: format.shards.bytes)
    settings.measures = reportPath != nil
    let output = output ?? ""
    let path = FilePath(named: output)
    let places = try job.prepare(
      [JobOptions.place(output, base: FilePath(named: base))]
        + (reportPath.map { [($0, .text)] } ?? []),
      reading: ([base] + adapters).map { FilePath(named: $0) } + beginnings.paths)
    defer { withExtendedLifetime(places) {} }
    let blockWeights = try blocks.weights(adapterCount: adapters.count)
    let base = try BaseModel(opening: FilePath(named: base), as: family.family)
    let files = try AdapterFile.changes(
      of: adapters.map { try TensorFile(opening: FilePath(named: $0)) },
      since: beginnings.paths, onResidualBase: asserted.isResidualBase)
    let weighted = files.enumerated().map { index, file in
      var adapter = strength.weighted(file, at: index)
      if !blockWeights.isEmpty { adapter.blockWeights = blockWeights[index] }
      return adapter
    }
    let plan = try MergePlan(base: base, adapters: weighted, settings: settings)
    let summary = MergeSummary(
      asJSON: job.asJSON, isQuiet: job.quiet, isVerbose: job.verbose)
    if job.isDryRun { summary.print(plan) }
    do throws(OperationError) {
      try plan.requireComplete(lenient: settings.isLenient)
    } catch {
      // The error names the first modules, JSON all.
      if job.asJSON, !job.isDryRun { summary.print(plan) }
      throw error
    }
    summary.warn(plan)
    guard !job.isDryRun else { return }
    let merging = Merging(plan, settings: settings)
    // The base in its own place is a use of its own; an adapter there is a slip.
    let reports = reportPath.map { [$0] } ?? []
    try job.protect(weighted.map(\.file.file), from: merging.paths(writing: path) + reports)
    try job.protect([base.file], from: reports)
    let progress = job.quiet ? ProgressLine(isVisible: false) : ProgressLine()
    defer { progress.finish() }
    var report = try await merging.run(
      writing: path,
      metadata: (format.omitsMetadata ? [:] : plan.metadata).setting(format.entries.added),
      progress: progress.reporter)
    progress.finish()
    if reportPath != nil { report.options = given.listed() }
    try LateFailure.after(path) {
      summary.print(report, of: plan, output: path)
      guard let reportPath else { return }
      try reportPath.write(
        HTMLPage.isAsked(by: reportPath) ? MergePage(report).html : report.json)
    }
  }

  static func main() async { await start() }
}
