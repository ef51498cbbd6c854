import Adapters
import ArgumentParser
import CommandSupport
import Operations

/// How ranks are chosen: LyCORIS' modes, and two of our own.
struct RankOptions: ParsableArguments {
  enum Mode: String, ExpressibleByArgument, CaseIterable {
    case fixed, threshold, ratio, quantile, full, error, size
  }

  @Option(
    help: ArgumentHelp(
      """
      fixed: the same rank everywhere. threshold: singular values above a number. ratio: above a \
      share of the largest. quantile: until their sum reaches a share of the whole. full: the \
      difference itself. error: the smallest rank that keeps the relative error of every module \
      below a bound. size: ranks where a stored byte removes most error, within one size. \
      Default: fixed; error with --max_error, size with --max_size.
      """, valueName: "how"), completion: .list(OptionTable.words(of: "mode", in: .extract)))
  var mode: Mode?

  @Option(
    name: [.customLong("linear_dim"), .customLong("dim")],
    help: ArgumentHelp(
      """
      Rank of linear layers and 1×1 convolutions, mode fixed. For diag-oft and boft the size of a \
      block.
      """, valueName: "n"))
  var linearRank = 32

  @Option(
    name: .customLong("conv_dim"),
    help: ArgumentHelp(
      "Rank of convolutions with a kernel, mode fixed. Default: that of linear layers.",
      valueName: "n"))
  var convolutionRank: Int?

  @Option(
    name: .customLong("linear_threshold"),
    help: ArgumentHelp("Mode threshold, 0 or more.", valueName: "number"))
  var linearThreshold = 0.0
  @Option(
    name: .customLong("conv_threshold"),
    help: ArgumentHelp("The same for convolutions. Default: as linear.", valueName: "number"))
  var convolutionThreshold: Double?

  @Option(
    name: .customLong("linear_ratio"), help: ArgumentHelp("Mode ratio, 0 to 1.", valueName: "share")
  )
  var linearRatio = 0.0
  @Option(
    name: .customLong("conv_ratio"),
    help: ArgumentHelp("The same for convolutions. Default: as linear.", valueName: "share"))
  var convolutionRatio: Double?

  @Option(
    name: .customLong("linear_quantile"),
    help: ArgumentHelp("Mode quantile, 0 to 1.", valueName: "share"))
  var linearQuantile = 1.0
  @Option(
    name: .customLong("conv_quantile"),
    help: ArgumentHelp("The same for convolutions. Default: as linear.", valueName: "share"))
  var convolutionQuantile: Double?

  @Option(
    name: .customLong("max_error"),
    help: ArgumentHelp(
      """
      Mode error: largest ‖Δ − Δ'‖ / ‖Δ‖ of a module, Frobenius norm, between 0 and 1. Default: 0.1.
      """, valueName: "number"))
  var largestError: Double?

  @Option(
    name: .customLong("max_size"),
    help: ArgumentHelp(
      "Mode size: largest size of the file, as 64MiB, 150MB or bytes.", valueName: "bytes"))
  var largestSize: ByteCount?

  func validate() throws {
    for (name, rank) in [("linear_dim", linearRank), ("conv_dim", convolutionRank ?? 1)]
    where rank < 1 {
      throw ValidationError("'--\(name)': expected a rank of at least 1, found \(rank)")
    }
    let shares = [
      ("linear_ratio", linearRatio), ("conv_ratio", convolutionRatio ?? 0),
      ("linear_quantile", linearQuantile), ("conv_quantile", convolutionQuantile ?? 0),
    ]
    for (name, value) in shares where !(0...1).contains(value) {
      throw ValidationError("'--\(name)': expected a number from 0 to 1, found \(value)")
    }
    for (name, value) in [
      ("linear_threshold", linearThreshold), ("conv_threshold", convolutionThreshold ?? 0),
    ] where !(value >= 0 && value.isFinite) {
      throw ValidationError("'--\(name)': expected a number of at least 0, found \(value)")
    }
    if let largestError, !(largestError > 0 && largestError < 1) {
      throw ValidationError(
        "'--max_error': expected a number between 0 and 1, found \(largestError)")
    }
    if mode == .size, largestSize == nil {
      throw ValidationError("'--mode size' needs '--max_size', such as '--max_size 64MiB'")
    }
  }

  /// The mode asked for, or the one that a bound implies.
  var resolvedMode: Mode {
    mode ?? (largestSize != nil ? .size : largestError != nil ? .error : .fixed)
  }

  var ranks: ExtractionSettings.Ranks {
    let largestError = largestError ?? 0.1
    return switch resolvedMode {
    case .fixed:
      .perModule(
        linear: .fixed(linearRank), convolution: .fixed(convolutionRank ?? linearRank))
    case .threshold:
      .perModule(
        linear: .threshold(linearThreshold),
        convolution: .threshold(convolutionThreshold ?? linearThreshold))
    case .ratio:
      .perModule(
        linear: .ratio(linearRatio), convolution: .ratio(convolutionRatio ?? linearRatio))
    case .quantile:
      .perModule(
        linear: .quantile(linearQuantile),
        convolution: .quantile(convolutionQuantile ?? linearQuantile))
    case .full: .perModule(linear: .full, convolution: .full)
    case .error: .perModule(linear: .error(largestError), convolution: .error(largestError))
    case .size: .withinBytes(largestSize?.bytes ?? 0)
    }
  }
}
