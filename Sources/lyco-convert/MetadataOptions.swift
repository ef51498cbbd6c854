import ArgumentParser
import CommandSupport
import Operations

/// What becomes of the metadata.
struct MetadataOptions: ParsableArguments {
  @Option(
    name: .customLong("metadata"),
    help: ArgumentHelp(
      "keep: the source's, with what has changed corrected. minimal: what loaders need. none.",
      valueName: "policy"), completion: .list(OptionTable.words(of: "metadata", in: .convert)))
  var chosenPolicy: MetadataPolicy = .keep

  @Flag(name: .customLong("no_metadata"), help: "The same as '--metadata none'.")
  var omitsMetadata = false

  @OptionGroup var entries: MetadataEntryOptions

  var policy: MetadataPolicy { omitsMetadata ? .none : chosenPolicy }
}

extension MetadataPolicy: ExpressibleByArgument {}
