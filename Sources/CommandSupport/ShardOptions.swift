import ArgumentParser

/// Into how many files a checkpoint is written.
package struct ShardOptions: ParsableArguments {
  @Option(
    name: [.customLong("shard_size"), .customLong("max_shard_size")],
    help: ArgumentHelp(
      "Split a checkpoint into files of at most this size, such as 5GB, with an index.",
      valueName: "bytes"))
  private var shardSize: ByteCount?

  package init() {}

  /// The most bytes of a file; nil for one file.
  package var bytes: Int? { shardSize?.bytes }
}
