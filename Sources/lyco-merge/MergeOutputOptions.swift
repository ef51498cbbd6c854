import ArgumentParser
import CommandSupport

/// What the merged checkpoint is like.
struct MergeOutputOptions: ParsableArguments {
  @Option(
    name: .customLong("save_precision"),
    help: ArgumentHelp(
      "fp16, bf16, fp32, fp8_e4m3 or fp8_e5m2. Default: the format of every base tensor.",
      valueName: "format"), completion: .list(OptionTable.words(of: "save_precision", in: .merge)))
  var precision: PrecisionArgument?

  @OptionGroup var shards: ShardOptions

  @Flag(
    name: .customLong("lenient"),
    help: "Pass over adapter modules that have no place in the base instead of refusing.")
  var isLenient = false

  @Option(
    name: .customLong("report"),
    help: ArgumentHelp(
      """
      Measure how far every tensor is changed, by every adapter, and write that: a page for browsers where the name ends \
      in .html, else JSON.
      """, valueName: "file"), completion: .file())
  var reportPath: String?

  @Flag(name: .customLong("no_metadata"), help: "Write no metadata.")
  var omitsMetadata = false

  @OptionGroup var entries: MetadataEntryOptions
}
