import ArgumentParser
import CommandSupport
import Operations

/// Combination: options of lyco-convert.
struct CombinationOptions: ParsableArguments {
  @Option(
    name: [.customLong("combine"), .customLong("method")],
    help: ArgumentHelp(
      """
      How several adapters become one. concat: the exact sum, ranks add up. svd: the nearest of rank \
      --dim. ties, dare_ties, dare_linear, magnitude_prune: entries picked by --density, then svd. \
      orthogonal: later adapters without what they share with earlier ones. Default: concat, or svd with \
      --dim.
      """, valueName: "way"), completion: .list(OptionTable.words(of: "combine", in: .convert)))
  var method: CombinationSettings.Method?

  @Flag(name: .customLong("concat"), help: "The same as --combine concat.")
  var concatenates = false

  @Flag(name: .customLong("shuffle"), help: .hidden)
  var shuffles = false

  @Option(
    help: ArgumentHelp(
      "Share of the entries that ties, dare_… and magnitude_prune keep, above 0, to 1.",
      valueName: "share"))
  var density: Double?

  @Option(
    name: .customLong("majority_sign_method"),
    help: ArgumentHelp(
      "ties, dare_ties: total counts sizes of entries, frequency entries.", valueName: "what"),
    completion: .list(OptionTable.words(of: "majority_sign_method", in: .convert)))
  var majoritySign = CombinationSettings.MajoritySign.total

  @Option(
    help: ArgumentHelp(
      "dare_…: chooses the random entries. Equal seeds give equal files.", valueName: "n"))
  var seed: UInt64 = 0

  @OptionGroup(title: "Block weights") var blocks: BlockOptions

  func validate() throws {
    if let density, !(density > 0 && density <= 1) {
      throw ValidationError("'--density': expected a number above 0, up to 1, found \(density)")
    }
    if concatenates, let method, method != .concat {
      throw ValidationError("'--concat' contradicts '--combine \(method.rawValue)'")
    }
    if let method, method.picksEntries, density == nil {
      throw ValidationError("'--combine \(method.rawValue)' needs '--density', such as 0.5")
    }
  }

  func settings(_ rank: ResizeOptions, adapterCount: Int) throws -> CombinationSettings {
    if shuffles {
      StandardError.say("'--shuffle' has no effect: the order of ranks changes no weight")
    }
    // A rank that is asked for is asked of the sum; other algorithms are fitted to the whole of it.
    let isRankOfSum = adapterCount > 1 && rank.limits.linear != nil && rank.algorithm == nil
    let byRank: CombinationSettings.Method = isRankOfSum ? .svd : .concat
    var settings = CombinationSettings(method: method ?? (concatenates ? .concat : byRank))
    settings.density = density ?? 1
    settings.majoritySign = majoritySign
    settings.seed = seed
    settings.svd = rank.svd
    (settings.linearRank, settings.convolutionRank) = rank.limits
    settings.blockWeights = try blocks.weights(adapterCount: adapterCount)
    return settings
  }
}

extension CombinationSettings.Method: ExpressibleByArgument {}
extension CombinationSettings.MajoritySign: ExpressibleByArgument {}
