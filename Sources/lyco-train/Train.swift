import ArgumentParser
import CPlatform
import Checkpoints
import Cluster
import CommandSupport
import Images
import LinearAlgebra
import Machine
import Safetensors
import SystemPackage
import Training

/// `lyco-train --pretrained_model_name_or_path BASE --train_data_dir DIR …`
@main
struct Train: Tool {
  static let configuration = CommandConfiguration(
    commandName: "lyco-train",
    abstract: "Train an adapter on images, or on videos that come encoded.",
    discussion: """
      Options are those of kohya's scripts and musubi-tuner; files of theirs are read with '--config_file'.

      EXAMPLES
        lyco-train --pretrained_model_name_or_path model.safetensors \\
          --train_data_dir images/ --output_dir out --output_name style \\
          --network_dim 16 --network_alpha 8 \\
          --learning_rate 1e-4 --max_train_epochs 10 --cache_latents --plan
        lyco-train --config_file training.toml --dataset_config dataset.toml \\
          --network_module lycoris.kohya --network_args "algo=lokr" "factor=8"
        lyco-train --dit wan.safetensors --dataset_config videos.toml \\
          --network_module networks.lora_wan --network_dim 16 \\
          --timestep_sampling shift --discrete_flow_shift 3 --max_train_epochs 10
        lyco-train --pretrained_model_name_or_path model.safetensors \\
          --teacher tuned.safetensors --init extracted.safetensors \\
          --network_module lycoris.kohya --teacher_prompts prompts.txt \\
          --max_train_steps 2000

      'mpirun -n N' in front shares the work among N processes: docs/clusters.md.

      EXIT STATUS
        0 done, 1 the work failed, 64 wrong usage, 130 interrupted (resume with '--resume')
      """,
    version: Suite.version)

  static let options = OptionTable.train
  static let isShared = true
  /// Names alone: what values belong to an option, and what becomes of it, says `ScriptGate`.
  static let normalization = ArgumentNormalization()

  @OptionGroup(title: "Model") var model: ModelOptions
  @OptionGroup(title: "Network") var network: NetworkOptions
  @OptionGroup(title: "Images and captions") var dataset: DatasetOptions
  @OptionGroup(title: "Learning") var optimizer: OptimizerOptions
  @OptionGroup(title: "Noise and loss") var loss: LossOptions
  @OptionGroup(title: "Flow matching") var flow: FlowOptions
  @OptionGroup(title: "Run") var run: RunOptions
  @OptionGroup(title: "Output") var output: SaveOptions
  @OptionGroup(title: "Samples") var samples: SampleOptions
  @OptionGroup(title: "Log") var log: LoggingOptions
  @OptionGroup(title: "Family") var family: FamilyOptions

  @Option(
    name: .customLong("config_file"),
    help: ArgumentHelp("Options in TOML; the command line wins.", valueName: "path"),
    completion: .file())
  var configurationFile: String?

  @Option(
    name: .customLong("script"),
    help: ArgumentHelp(
      "The script of a pasted command.", valueName: "name", visibility: .private))
  var script: String?

  @Option(
    name: .customLong("spelling"), parsing: .singleValue,
    help: ArgumentHelp(
      "A setting as its file has it, for the metadata.", valueName: "name=text",
      visibility: .private))
  var spellings: [String] = []

  /// What a command or file of kohya's scripts is for the parser.
  static func expanded(_ arguments: [String]) throws -> [String] {
    guard arguments.allSatisfy({ !["-h", "--help", "--help_hidden", "--version"].contains($0) })
    else { return arguments }
    let gate = try ScriptGate(reading: arguments, vocabulary)
    if LaunchEnvironment.current.rank == 0,
      !arguments.contains(where: { $0 == "-q" || $0 == "--quiet" })
    {
      for notice in gate.notices { StandardError.say("note: \(notice)") }
    }
    return gate.arguments.commandLine
  }

  /// Names and values of options are checked where they are known: in the plan.
  static func isUsage(_ error: any Error) -> Bool {
    switch error {
    case is SettingError: true
    case let error as NetworkError: error.isOfOptions
    case let error as DatasetError: error.isOfOptions
    case let error as CheckpointError: error.isOfOptions
    case TrainingError.uncacheable, TrainingError.varyingCaptions: true
    default: false
    }
  }

  static func isInterruption(_ error: any Error) -> Bool {
    if case TrainingError.interrupted = error { true } else { error is CancellationError }
  }

  func work(_ given: GivenOptions) async throws {
    BLASThreads.set(1)
    let stop = EarlyStop()
    // The first rank begins it.
    let page = log.page.map {
      RunReport(
        FilePath(named: $0), options: given.listed(without: ["spelling", "script"]),
        note: { StandardError.say("note: \($0)") })
    }
    let lastWords: @Sendable (RankFailure) -> String = { Self.lastWords(after: $0, stop, page) }
    do {
      try await Self.sharing(given, lastWords: lastWords) {
        try await train(given, over: $0, page, stop)
      }
    } catch let error as TrainingError {
      guard Self.isInterruption(error) else { throw error }
      StandardError.say("\(error)")
      throw ExitCode(130)
    }
  }

  /// What is said where ranks end without meeting again; the first saves the last whole step.
  private static func lastWords(
    after failure: RankFailure, _ stop: EarlyStop, _ page: RunReport?
  ) -> String {
    guard failure.kind != .numbers else { return "\(failure)" }
    let end: TrainingError
    do {
      guard let state = try stop.save() else { return "\(failure)" }
      end = .stopped(reason: "\(failure)", state: state)
    } catch {
      end = .unsaved(reason: "\(failure)", second: "\(error)")
    }
    page?.end(after: end)
    return "\(end)"
  }

  private func train(
    _ given: GivenOptions, over ranks: any Communicator, _ page: RunReport?, _ stop: EarlyStop
  ) async throws {
    guard ranks.count > 1, ranks.isFirst else {
      return try train(given, over: ranks, page, stop: nil)
    }
    // mpirun leaves no time to end the step.
    try await withTaskCancellationHandler {
      try train(given, over: ranks, page, stop: stop)
    } onCancel: {
      let end: TrainingError
      do {
        end = .interrupted(state: try stop.save())
      } catch {
        end = .unsaved(reason: "interrupted", second: "\(error)")
      }
      Self.leave(saying: "\(end)") { page?.end(after: end) }
    }
  }

  private func train(
    _ given: GivenOptions, over ranks: any Communicator, _ page: RunReport?, stop: EarlyStop?
  ) throws {
    let summary = RunSummary(
      isQuiet: run.quiet, asJSON: run.asJSON, isSilent: !ranks.isFirst)
    if model.mixedPrecision == "fp16" {
      summary.warn(
        "'--mixed_precision fp16': bf16 takes its place, whose range needs no scaling of the loss")
    }
    if model.transformerFormat == "float16" {
      summary.warn("'--dit_dtype float16': bf16 takes its place, which has its range and more")
    }
    if log.format == "wandb" {
      summary.warn(
        "'--log_with wandb': nothing is uploaded; "
          + (log.folder == nil
            ? "'--logging_dir' has TensorBoard's event files written"
            : "TensorBoard's event files are written"))
    }
    guard optimizer.unetRate != 0 || optimizer.trainsTextEncoders else {
      throw ValidationError("'--unet_lr 0' and '--text_encoder_lr 0' leave nothing to train")
    }
    DataLimits.factor = run.limitFactor
    var configuration = try trainingConfiguration(over: ranks)
    configuration.spellings = settingsAsGiven(given)
    // Before the first image is read.
    let outputs =
      run.isPlan || !ranks.isFirst
      ? nil
      : try TrainingOutputs(
        configuration.output, drawsSamples: configuration.samples.isAsked)
    defer { withExtendedLifetime(outputs) {} }
    let plan = try TrainingPlan(configuration, over: ranks)
    try plan.checkRanks()
    let isVerbose = run.isVerbose || plan.network.settings.isVerbose
    if run.isPlan {
      summary.printPlan(plan, verbose: isVerbose)
      return try plan.checkMemory()
    }
    summary.print(plan, verbose: isVerbose)
    try plan.checkMemory()
    let progress = TrainingProgressLine(isQuiet: run.quiet)
    defer { progress.finish() }
    guard ranks.isFirst else {
      _ = try plan.train(observer: TrainingObserver())
      return
    }
    page?.begin(plan)
    let observer = page?.observing(progress.observer) ?? progress.observer
    let report: TrainingReport
    do {
      report = try plan.train(observer: observer, outputs: outputs, stop: stop)
    } catch {
      page?.end(after: error)
      throw error
    }
    progress.finish()
    summary.print(report)
    try LateFailure.after(report.output) { try page?.end(as: .finished) }
  }

  static func main() async {
    lyco_keep_all_freed_memory()
    await start()
  }
}
