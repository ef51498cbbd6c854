import ArgumentParser
import CommandSupport
import Operations
import Tensors

/// The number format of what is written, and the files it is written to.
struct StorageOptions: ParsableArguments {
  @Option(
    name: [.customLong("save_precision"), .customLong("saving_precision"), .customLong("dtype")],
    help: ArgumentHelp(
      "fp32, fp16, bf16, fp8_e4m3, fp8_e5m2, or fp8_scaled for checkpoints. Default: the format "
        + "of every tensor.", valueName: "format"),
    completion: .list(OptionTable.words(of: "save_precision", in: .convert)),
    transform: { text in
      if text == "fp8_scaled" { return .scaledFloat8 }
      guard let precision = PrecisionArgument(rawValue: text) else {
        throw ValidationError(
          "expected fp32, fp16, bf16, fp8_e4m3, fp8_e5m2 or fp8_scaled, found '\(text)'")
      }
      return .plain(precision.dtype)
    })
  var precision: CheckpointStorage?

  @OptionGroup var shards: ShardOptions

  /// For adapters, which have no layout of scaled weights.
  func adapterFormat() throws -> DType? {
    guard precision != .scaledFloat8 else {
      throw ValidationError(
        "'--save_precision fp8_scaled': expected a checkpoint, found an adapter")
    }
    return precision?.dtype
  }
}
