import Adapters
import ArgumentParser
import CPlatform
import Checkpoints
import CommandSupport
import LinearAlgebra
import Machine
import ModelFamilies
import Operations
import Safetensors
import SystemPackage
import Training

/// `lyco-extract BASE TUNED -o OUT`
@main
struct Extract: Tool {
  static let configuration = CommandConfiguration(
    commandName: "lyco-extract",
    abstract: "Extract an adapter from the difference of two checkpoints.",
    discussion: """
      BASE and TUNED are two checkpoints of one model: .safetensors, .safetensors.zst, an \
      index of shards, or a diffusers folder. Any pair works; for known families the adapter \
      gets the names that kohya's scripts, LyCORIS, ComfyUI and diffusers load.

      EXAMPLES
        lyco-extract base.safetensors tuned.safetensors -o adapter.safetensors \\
          --linear_dim 32 --conv_dim 16
        lyco-extract base.safetensors tuned.safetensors -o adapter.safetensors \\
          --mode error --max_error 0.1
        lyco-extract base.safetensors tuned.safetensors -o adapter.safetensors \\
          --mode size --max_size 64MiB --norms --bias
        lyco-extract base-folder/ tuned-folder/ -o adapter.safetensors \\
          --preset attn-mlp --report report.json
        lyco-extract base.safetensors tuned.safetensors -o adapter.safetensors \\
          --algo lokr --factor 8 --linear_dim 16
        lyco-extract base.safetensors tuned.safetensors -o adapter.safetensors \\
          --dora_wd --reader comfyui
        lyco-extract base.safetensors tuned.safetensors -o adapter.safetensors \\
          --algo auto --max_error 0.2
        lyco-extract base.safetensors tuned.safetensors -o adapter.safetensors \\
          --linear_dim 8 --calibrate images/ --save_statistics moments.safetensors

      'mpirun -n N' in front shares the work among N processes: docs/clusters.md.

      EXIT STATUS
        0 done, 1 the work failed, 64 wrong usage, 130 interrupted
      """,
    version: Suite.version)

  static let options = OptionTable.extract
  static let isShared = true
  static let normalization = ArgumentNormalization(
    of: options, positionals: ["model_org", "model_tuned"],
    ignored: KohyaOptions.ignored)

  @Argument(help: "The checkpoint that training started from.", completion: .file())
  var base: String

  @Argument(help: "The fine-tuned checkpoint.", completion: .file())
  var tuned: String

  /// Where LyCORIS' script has it.
  @Argument(
    help: ArgumentHelp("The adapter to write, where no '-o' names it.", valueName: "adapter"),
    completion: .file())
  var positionalOutput: String?

  @Option(
    name: [.customShort("o"), .customLong("output"), .customLong("save_to")],
    help: ArgumentHelp("The adapter to write. Compressed if it ends in .zst.", valueName: "path"),
    completion: .file())
  var namedOutput: String?

  @OptionGroup(title: "Algorithm") var algorithm: AlgorithmOptions
  @OptionGroup(title: "Ranks") var ranks: RankOptions
  @OptionGroup(title: "Factors") var factors: FactorOptions
  @OptionGroup(title: "Calibration") var calibration: CalibrationOptions
  @OptionGroup(title: "Modules") var modules: ModuleSelectionOptions
  @OptionGroup(title: "Patterns") var selection: SelectionOptions
  @OptionGroup(title: "Reader") var reader: ReaderOptions
  @OptionGroup(title: "Checkpoints") var family: FamilyOptions
  @OptionGroup(title: "Report") var report: ReportOptions
  @OptionGroup(title: "Job") var job: JobOptions

  func validate() throws {
    guard
      (namedOutput == nil) != (positionalOutput == nil) || namedOutput == nil && job.isDryRun
    else {
      throw ValidationError(
        "expected one output: '-o ADAPTER'; '--dry_run' shows the plan without one")
    }
    if let positionalOutput, !job.overwrites, FilePath(named: positionalOutput).kind != nil {
      throw ValidationError(
        "expected two checkpoints, BASE and TUNED, and '-o ADAPTER'; found a third file, "
          + "'\(positionalOutput)', that would be replaced: say '-o \(positionalOutput)' if it is to be"
      )
    }
    if let output = namedOutput ?? positionalOutput, output.hasSuffix("/") {
      throw ValidationError(
        "'-o \(output)': expected the name of a file, such as '\(output)\(FilePath(named: tuned).stem ?? "adapter")"
          + ".safetensors', found a folder")
    }
    guard !algorithm.isAutomatic || [.error, .size].contains(ranks.resolvedMode) else {
      throw ValidationError("'--algo auto' needs '--max_error' or '--max_size'")
    }
    guard ranks.mode == nil || ranks.mode == .full || !algorithm.storesWhole else {
      throw ValidationError("'--algo full' has no rank and takes no other '--mode'")
    }
    guard !calibration.isAsked || !factors.keepsResidual else {
      throw ValidationError(
        "'--use_sparse_bias' keeps the largest of what weights lack, which says nothing of outputs: leave it out with "
          + "'--calibrate' and '--statistics'")
    }
  }

  /// What is asked for; the rest so that the program that is to load the adapter reads it.
  private func settings(_ given: GivenOptions) throws -> ExtractionSettings {
    var factorization = factors.factorization
    algorithm.apply(to: &factorization)
    var algorithms = algorithm.algorithms
    if let reader = reader.reader {
      if factorization.magnitudes != nil, !given.contains("wd_on_output"),
        let axis = reader.magnitudes(of: family.family)
      {
        factorization.magnitudes = axis
      }
      if !reader.reads(Full.name) { factorization.allowsFull = false }
      if algorithm.isAutomatic { algorithms = algorithms.filter { reader.reads($0.name) } }
    }
    var settings = ExtractionSettings(
      ranks: algorithm.storesWhole
        ? .perModule(linear: .full, convolution: .full) : ranks.ranks,
      algorithms: algorithms, selectsWeights: !algorithm.isNormOnly,
      factorization: factorization, storage: factors.storage, preset: try modules.preset,
      filter: try selection.filter(), norms: modules.norms || algorithm.isNormOnly,
      biases: modules.biases, threads: job.prepareThreads())
    settings.reader = reader.reader
    settings.weighsOutputs = calibration.isAsked
    return settings
  }

  func work(_ given: GivenOptions) async throws {
    try await Self.sharing(given) { try await extract(given, over: $0) }
  }

  private func extract(_ given: GivenOptions, over ranks: any Communicator) async throws {
    let settings = try settings(given)
    let path = FilePath(named: namedOutput ?? positionalOutput ?? "")
    let reportPath = report.path.map { FilePath(named: $0) }
    // What is written, the first rank writes.
    let places = try job.prepare(
      ranks.isFirst
        ? [(path, .tensors)] + (reportPath.map { [($0, .text)] } ?? [])
          + (calibration.savedPath.map { [($0, .tensors)] } ?? []) : [],
      reading: [FilePath(named: base), FilePath(named: tuned)])
    defer { withExtendedLifetime(places) {} }
    let calibrationPlan = try calibration.plan(
      base: FilePath(named: base), tuned: FilePath(named: tuned), as: family.family,
      seed: factors.seed, threads: job.requestedThreads, beside: path)
    let base = try BaseModel(opening: FilePath(named: base), as: family.family)
    // What the base is recognized as holds for both: a fine-tune may have lost what tells it.
    var plan: ExtractionPlan
    do {
      let tuned = try BaseModel(
        opening: FilePath(named: tuned), as: family.family ?? base.layout.family)
      try job.protect(
        [base.file, tuned.file], from: [path] + (reportPath.map { [$0] } ?? []))
      plan = try ExtractionPlan(base: base, tuned: tuned, settings: settings)
    } catch {
      throw ExtractionPlan.otherModel(FilePath(named: tuned), than: base) ?? error
    }
    let summary = ExtractionSummary(
      asJSON: job.asJSON, isQuiet: job.quiet, isVerbose: job.verbose,
      isDoRA: algorithm.decomposesWeight)
    let progress =
      job.quiet || !ranks.isFirst ? ProgressLine(isVisible: false) : ProgressLine()
    defer { progress.finish() }
    if let file = calibration.statistics {
      try plan.weigh(by: InputStatistics(opening: FilePath(named: file)), settings.ranks)
    }
    if ranks.isFirst { summary.warn((calibrationPlan?.notices ?? []) + plan.notices) }
    guard !job.isDryRun else { return ranks.isFirst ? summary.print(plan) : () }
    if let calibrationPlan {
      let found = try gather(calibrationPlan, for: plan, progress.reporter)
      if let saved = calibration.savedPath, ranks.isFirst { try found.write(to: saved) }
      let known = plan.notices.count
      try plan.weigh(by: found, settings.ranks)
      if ranks.isFirst { summary.warn(plan.notices.dropFirst(known)) }
    }
    let found = try await Extraction(plan, settings: settings, over: ranks).run(
      writing: path, metadata: report.metadata(for: path), progress: progress.reporter)
    progress.finish()
    guard var result = found else { return }
    result.options = given.listed()
    try LateFailure.after(path) {
      try summary.print(result, output: path)
      try report.write(result)
    }
  }

  /// Runs the model on every rank alike: what it reads is the same.
  private func gather(
    _ calibration: CalibrationPlan, for plan: ExtractionPlan, _ progress: ProgressReporter
  ) throws -> InputStatistics {
    try calibration.gather(Set(plan.weighedItems.flatMap(\.statisticsNames))) { done, total in
      progress.report(
        Progress(activity: "calibrating", completed: done, total: total, isBytes: false))
    }
  }

  static func main() async {
    lyco_keep_all_freed_memory()
    await start()
  }
}
