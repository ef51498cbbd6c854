import ArgumentParser
import CommandSupport
import ModelFamilies
import Operations

/// What format an adapter is turned into, and how.
struct FormatOptions: ParsableArguments {
  @Option(
    name: [.customLong("to"), .customLong("target")],
    help: ArgumentHelp(
      "The format to write. Default: what '--reader' reads, or that of the input, names as they are.",
      valueName: "format"), completion: .list(OptionTable.words(of: "to", in: .convert)))
  var format: AdapterFormat?

  @Option(
    name: .customLong("from"),
    help: ArgumentHelp(
      "The format of the inputs, which is recognized; refuses what is plainly another.",
      valueName: "format"), completion: .list(OptionTable.words(of: "from", in: .convert)))
  var source: AdapterFormat?

  @Option(
    name: .customLong("alpha"),
    help: ArgumentHelp(
      "fold: multiply alpha / rank into the factors; keep: alpha tensors as they are; config: in the "
        + "configuration of PEFT or diffusers. Default: what the format's readers expect.",
      valueName: "policy"), completion: .list(OptionTable.words(of: "alpha", in: .convert)))
  var alpha: AlphaPolicy?

  @Option(
    name: [.customLong("base"), .customLong("base_model")],
    help: ArgumentHelp(
      "The checkpoint that the adapter is for: names of models that no table lists, and what cannot "
        + "be computed without weights.", valueName: "file"), completion: .file())
  var base: String?

  @Flag(
    name: .customLong("lenient"),
    help: "Copy modules that no table knows under their own names instead of refusing.")
  var isLenient = false
}

extension AdapterFormat: ExpressibleByArgument {}
extension AlphaPolicy: ExpressibleByArgument {}
