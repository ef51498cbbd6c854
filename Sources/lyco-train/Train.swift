import ArgumentParser
import CPlatform
import CommandSupport
import LinearAlgebra
import Training

/// `lyco-train --pretrained_model_name_or_path BASE --train_data_dir DIR …`
@main
struct Train: Tool {
  static let configuration = CommandConfiguration(
    commandName: "lyco-train",
    abstract: "Train an adapter on images.",
    discussion: """
      Options are those of kohya's scripts; files of theirs are read with '--config_file'.

      EXAMPLES
        lyco-train --pretrained_model_name_or_path model.safetensors --train_data_dir images/ \\
          --output_dir out --output_name style --network_dim 16 --network_alpha 8 \\
          --learning_rate 1e-4 --max_train_epochs 10 --cache_latents --plan
        lyco-train --config_file training.toml --dataset_config dataset.toml \\
          --network_module lycoris.kohya --network_args "algo=lokr" "factor=8"

      EXIT STATUS
        0 done, 1 the work failed, 64 wrong usage, 130 interrupted (resume with '--resume')
      """,
    version: Suite.version)

  static let lists: Set<String> = [
    "network_args", "optimizer_args", "lr_scheduler_args", "base_weights",
  ]
  static let numberLists: Set<String> = ["base_weights_multiplier", "text_encoder_lr"]
  static let options = OptionTable.train
  static let normalization = ArgumentNormalization(
    lists: lists, numberLists: numberLists, ignored: IgnoredOptions.all)

  @OptionGroup(title: "Model") var model: ModelOptions
  @OptionGroup(title: "Network") var network: NetworkOptions
  @OptionGroup(title: "Images and captions") var dataset: DatasetOptions
  @OptionGroup(title: "Learning") var optimizer: OptimizerOptions
  @OptionGroup(title: "Noise and loss") var loss: LossOptions
  @OptionGroup(title: "Run") var run: RunOptions
  @OptionGroup(title: "Output") var output: SaveOptions
  @OptionGroup(title: "Log") var log: LoggingOptions
  @OptionGroup(title: "Family") var family: FamilyOptions

  @Option(
    name: .customLong("config_file"),
    help: ArgumentHelp("Options in TOML; the command line wins.", valueName: "path"))
  var configurationFile: String?

  /// Options of `--config_file` before those of the command line that they give way to.
  static func expanded(_ arguments: [String]) throws -> [String] {
    let given = Set(arguments.compactMap(Self.option))
    guard given.contains("config_file") else { return arguments }
    var rest = arguments
    var path: String?
    if let index = rest.lastIndex(where: { Self.option($0) == "config_file" }) {
      let argument = rest.remove(at: index)
      if let equals = argument.firstIndex(of: "=") {
        path = String(argument[argument.index(after: equals)...])
      } else if index < rest.count {
        path = rest.remove(at: index)
      }
    }
    guard let path else { throw ValidationError("'--config_file': expected a path behind it") }
    let file = try ConfigurationFile(
      path: path, lists: lists.union(numberLists),
      known: knownOptions.union(IgnoredOptions.all.keys))
    return normalization.normalized(
      file.arguments(besides: given), note: StandardError.write) + rest
  }

  /// `network_dim` of `--network_dim` or `--network_dim=16`.
  private static func option(_ argument: String) -> String? {
    guard argument.hasPrefix("--"), argument.count > 2 else { return nil }
    return String(argument.dropFirst(2).prefix { $0 != "=" })
  }

  /// Every option that the help names.
  private static var knownOptions: Set<String> {
    Set(helpMessage(columns: 1000).matches(of: /--([a-z0-9_]+)/).map { String($0.1) })
  }

  func work(_ given: GivenOptions) async throws {
    lyco_keep_all_freed_memory()
    BLASThreads.set(1)
    let summary = TrainingSummary(isQuiet: run.quiet, asJSON: run.asJSON)
    if log.format == "wandb" {
      summary.warn("'--log_with wandb': nothing is uploaded; TensorBoard's event files are written")
    }
    let configuration = try trainingConfiguration()
    // Before the first image is read.
    let outputs = run.isPlan ? nil : try TrainingOutputs(configuration.output)
    defer { withExtendedLifetime(outputs) {} }
    let plan = try TrainingPlan(configuration)
    if run.isPlan {
      summary.printPlan(plan)
      return
    }
    summary.print(plan, verbose: plan.network.settings.isVerbose)
    try plan.checkMemory()
    let progress = TrainingProgressLine(isQuiet: run.quiet)
    do {
      let report = try Trainer(plan, observer: progress.observer).run()
      progress.finish()
      summary.print(report)
    } catch let error as TrainingError {
      progress.finish()
      guard case .interrupted = error else { throw error }
      StandardError.write("\(error)\n")
      throw ExitCode(130)
    } catch {
      progress.finish()
      throw error
    }
  }

  static func main() async { await start() }
}
