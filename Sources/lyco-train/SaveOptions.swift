import ArgumentParser
import CommandSupport

/// What is written.
struct SaveOptions: ParsableArguments {
  @Option(
    name: .customLong("output_dir"),
    help: ArgumentHelp("Folder of the adapter; made if it is missing.", valueName: "folder"),
    completion: .directory)
  var folder = "."

  @Option(
    name: .customLong("output_name"),
    help: ArgumentHelp("Name of the adapter, without its ending.", valueName: "name"))
  var name = "last"

  @Option(
    name: .customLong("save_precision"),
    help: ArgumentHelp("float, fp16 or bf16. Default: float.", valueName: "dtype"),
    completion: .list(OptionTable.words(of: "save_precision", in: .train)))
  var precision: PrecisionArgument?

  @Option(
    name: .customLong("save_every_n_epochs"),
    help: ArgumentHelp("Also save so often.", valueName: "n"))
  var everyEpochs: Int?

  @Option(
    name: .customLong("save_every_n_steps"),
    help: ArgumentHelp("Also save so often.", valueName: "n"))
  var everySteps: Int?

  @Option(
    name: .customLong("save_n_epoch_ratio"),
    help: ArgumentHelp("Save at least so many times.", valueName: "n"))
  var epochRatio: Int?

  @Option(
    name: .customLong("save_last_n_epochs"),
    help: ArgumentHelp("Keep so many of the saves of epochs.", valueName: "n"))
  var lastEpochs: Int?

  @Option(
    name: .customLong("save_last_n_epochs_state"),
    help: ArgumentHelp("Keep so many of their states.", valueName: "n"))
  var lastEpochStates: Int?

  @Option(
    name: .customLong("save_last_n_steps"),
    help: ArgumentHelp("Keep the saves of so many last steps.", valueName: "n"))
  var lastSteps: Int?

  @Option(
    name: .customLong("save_last_n_steps_state"),
    help: ArgumentHelp("Keep their states for so many steps.", valueName: "n"))
  var lastStepStates: Int?

  @Flag(name: .customLong("save_state"), help: "Save with every adapter what resuming needs.")
  var savesState = false

  @Flag(name: .customLong("save_state_on_train_end"), help: "Save it at the end.")
  var savesStateAtEnd = false

  @Flag(name: .customLong("no_metadata"), help: "Write only the metadata that loaders need.")
  var omitsMetadata = false

  @Option(
    name: .customLong("training_comment"),
    help: ArgumentHelp("Written into the metadata, as ss_training_comment.", valueName: "text"))
  var comment: String?

  @Option(
    name: .customLong("metadata_title"),
    help: ArgumentHelp(
      "Title in the metadata. Default: the name of the adapter.", valueName: "text"))
  var title: String?

  @Option(
    name: .customLong("metadata_author"),
    help: ArgumentHelp("Author in the metadata.", valueName: "text"))
  var author: String?

  @Option(
    name: .customLong("metadata_description"),
    help: ArgumentHelp("Description in the metadata.", valueName: "text"))
  var description: String?

  @Option(
    name: .customLong("metadata_license"),
    help: ArgumentHelp("License in the metadata.", valueName: "text"))
  var license: String?

  @Option(
    name: .customLong("metadata_tags"),
    help: ArgumentHelp("Tags in the metadata, with commas.", valueName: "text"))
  var tags: String?

  @Option(
    name: .customLong("metadata_usage_hint"),
    help: ArgumentHelp("Hint for users in the metadata.", valueName: "text"))
  var usageHint: String?

  @Option(
    name: .customLong("metadata_trigger_phrase"),
    help: ArgumentHelp("Trigger phrase in the metadata.", valueName: "text"))
  var triggerPhrase: String?

  @Option(
    name: .customLong("metadata_merged_from"),
    help: ArgumentHelp("What the base was merged from, in the metadata.", valueName: "text"))
  var mergedFrom: String?

  func validate() throws {
    for (option, value) in [
      ("save_every_n_epochs", everyEpochs), ("save_every_n_steps", everySteps),
      ("save_n_epoch_ratio", epochRatio), ("save_last_n_epochs", lastEpochs),
      ("save_last_n_epochs_state", lastEpochStates), ("save_last_n_steps", lastSteps),
      ("save_last_n_steps_state", lastStepStates),
    ] {
      if let value, value < 1 {
        throw ValidationError("'--\(option)': expected 1 or more, found \(value)")
      }
    }
    guard !name.isEmpty, !name.contains("/") else {
      throw ValidationError(
        "'--output_name': expected a file name without folder, found '\(name)'; "
          + "the folder is '--output_dir'")
    }
  }
}
