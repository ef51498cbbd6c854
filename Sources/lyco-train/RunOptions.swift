import ArgumentParser
import Images

/// How long, and with what.
struct RunOptions: ParsableArguments {
  @Option(
    name: .customLong("max_train_steps"),
    help: ArgumentHelp("Steps of the whole run.", valueName: "n"))
  var steps = 1600

  @Option(
    name: .customLong("max_train_epochs"),
    help: ArgumentHelp("Takes precedence over steps.", valueName: "n"))
  var epochs: Int?

  @Option(
    name: .customLong("gradient_accumulation_steps"),
    help: ArgumentHelp("Batches whose gradients make one step.", valueName: "n"))
  var accumulation = 1

  @Flag(
    name: .customLong("gradient_checkpointing"),
    help: "Compute blocks twice instead of keeping what they computed.")
  var checkpointsBlocks = false

  @Option(help: ArgumentHelp("Of everything that is drawn. Default: drawn.", valueName: "n"))
  var seed: UInt64?

  @Option(
    help: ArgumentHelp(
      "Default: the number of cores, 1 for small models. Results do not depend on it.",
      valueName: "n"))
  var threads: Int?

  @Option(
    name: .customLong("resume"),
    help: ArgumentHelp("A state to go on from, to the bit.", valueName: "folder"),
    completion: .directory)
  var state: String?

  @Option(
    name: .customLong("initial_epoch"),
    help: ArgumentHelp(
      "Begin with this epoch, counted from 1, and leave out those before.", valueName: "n"))
  var initialEpoch: Int?

  @Option(
    name: .customLong("initial_step"),
    help: ArgumentHelp(
      "Begin with the epoch of this step; takes precedence over the epoch.", valueName: "n"))
  var initialStep: Int?

  @Flag(
    name: .customLong("skip_until_initial_step"),
    help: "Leave out the images of that epoch up to the step.")
  var skipsToInitialStep = false

  @Option(
    name: .customLong("validation_split"),
    help: ArgumentHelp("Share of the images that is held out.", valueName: "share"))
  var validationSplit = 0.0

  @Option(
    name: .customLong("validation_seed"),
    help: ArgumentHelp("Chooses the images held out. Default: that of the run.", valueName: "n"))
  var validationSeed: UInt64?

  @Option(
    name: .customLong("validate_every_n_steps"),
    help: ArgumentHelp(
      "Measure the loss of images held out so often. Default: at the end of every epoch.",
      valueName: "n"))
  var validationSteps: Int?

  @Option(
    name: .customLong("validate_every_n_epochs"),
    help: ArgumentHelp("Measure it so often.", valueName: "n"))
  var validationEpochs: Int?

  @Option(
    name: .customLong("max_validation_steps"),
    help: ArgumentHelp("Batches of one validation.", valueName: "n"))
  var mostValidationBatches: Int?

  @Option(
    name: .customLong("raise_limits"),
    help: ArgumentHelp(
      "Images, captions and repeats may be so many times as large as their limits.",
      valueName: "factor"))
  var limitFactor = 1

  @Flag(
    name: [.customLong("plan"), .customLong("dry_run")],
    help: "Print modules, arithmetic, memory and time, and train nothing.")
  var isPlan = false

  @Flag(name: [.customShort("v"), .customLong("verbose")], help: "List every module.")
  var isVerbose = false

  @Flag(name: .shortAndLong, help: "Print errors only.")
  var quiet = false

  @Flag(name: .customLong("json"), help: "Print the result as JSON.")
  var asJSON = false

  func validate() throws {
    for (name, value) in [
      ("max_train_steps", steps), ("max_train_epochs", epochs ?? 1),
      ("gradient_accumulation_steps", accumulation),
      ("validate_every_n_steps", validationSteps ?? 1),
      ("validate_every_n_epochs", validationEpochs ?? 1),
      ("max_validation_steps", mostValidationBatches ?? 1),
    ] where value < 1 {
      throw ValidationError("'--\(name)': expected 1 or more, found \(value)")
    }
    guard DataLimits.factors.contains(limitFactor) else {
      let (least, most) = (DataLimits.factors.lowerBound, DataLimits.factors.upperBound)
      throw ValidationError(
        "'--raise_limits': expected \(least) to \(most), found \(limitFactor)")
    }
    if let threads, !(1...1024).contains(threads) {
      throw ValidationError("'--threads': expected 1 to 1024, found \(threads)")
    }
    guard (0..<1).contains(validationSplit) else {
      throw ValidationError(
        "'--validation_split': expected 0 up to below 1, found \(validationSplit)")
    }
  }
}
