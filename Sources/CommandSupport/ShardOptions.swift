import ArgumentParser

/// Into how many files a checkpoint is written.
package struct ShardOptions: ParsableArguments {
  @Option(
    name: .customLong("shard_size"),
    help: ArgumentHelp(
      "Split a checkpoint into files of at most this size, such as 5GB, with an index.",
      valueName: "bytes"),
    transform: {
      guard let size = ByteCount($0), size.bytes > 0 else {
        throw ValidationError("expected a size such as 5GB")
      }
      return size
    })
  private var shardSize: ByteCount?

  package init() {}

  /// The most bytes of a file; nil for one file.
  package var bytes: Int? { shardSize?.bytes }
}
