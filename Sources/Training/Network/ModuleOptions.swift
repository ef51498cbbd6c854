import Adapters
import Checkpoints
import Machine

/// How the adapter of one module is shaped and trained: what `network_args` say, or the table of a
/// preset for some modules.
package struct ModuleOptions: Equatable, Sendable {
  package var algorithm: NetworkAlgorithm
  /// Of linear layers and of convolutions without extent.
  package var rank: Int
  /// nil and 0 mean the rank.
  package var alpha: Float?
  /// Of other convolutions, which stay as they are where it is nil.
  package var convolutionRank: Int?
  package var convolutionAlpha: Float?
  /// Rate at which neurons are left out.
  package var dropout: Float = 0
  package var rankDropout: Float = 0
  /// Whether what rank dropout leaves is scaled up to make good for the rest.
  package var scalesRankDropout = false
  package var moduleDropout: Float = 0
  package var usesTucker = false
  package var usesScalar = false
  /// DoRA.
  package var decomposesWeight = false
  /// DoRA: lengths of rows rather than of input channels.
  package var decomposesOutputs = true
  /// nil for whatever costs least.
  package var bypasses: Bool?
  /// alpha is divided by the root of the rank.
  package var usesRootOfRank = false
  /// LoKr
  package var factor = -1
  package var decomposesBoth = false
  package var usesFullMatrix = false
  package var isUnbalanced = false
  /// DyLoRA: ranks that are trained together.
  package var blockSize = 4
  /// OFT and BOFT
  package var rescales = false
  package var constraint: Float = 0
  /// (IA)³
  package var scalesInput = false

  package init(algorithm: NetworkAlgorithm, rank: Int, alpha: Float? = nil) {
    self.algorithm = algorithm
    self.rank = rank
    self.alpha = alpha
  }

  /// Keys that can be said of a single module, ranks and alphas aside.
  static let keys: Set<String> = [
    "dropout", "rank_dropout", "rank_dropout_scale", "module_dropout", "use_tucker", "use_scalar",
    "dora_wd", "wd_on_output", "bypass_mode", "rs_lora", "factor", "decompose_both", "full_matrix",
    "unbalanced_factorization", "block_size", "rescaled", "constraint", "train_on_input",
  ]

  /// Takes over what the arguments say.
  /// - Throws: `NetworkError.value`
  mutating func take(_ arguments: NetworkArguments) throws(NetworkError) {
    dropout = try arguments.rate("dropout") ?? dropout
    rankDropout = try arguments.rate("rank_dropout") ?? rankDropout
    scalesRankDropout = try arguments.bool("rank_dropout_scale") ?? scalesRankDropout
    moduleDropout = try arguments.rate("module_dropout") ?? moduleDropout
    usesTucker = try arguments.bool("use_tucker") ?? usesTucker
    usesScalar = try arguments.bool("use_scalar") ?? usesScalar
    decomposesWeight = try arguments.bool("dora_wd") ?? decomposesWeight
    decomposesOutputs = try arguments.bool("wd_on_output") ?? decomposesOutputs
    bypasses = try arguments.optionalBool("bypass_mode") ?? bypasses
    usesRootOfRank = try arguments.bool("rs_lora") ?? usesRootOfRank
    if let text = arguments["factor"] {
      guard let value = Int(text), value == -1 || GivenInteger.range(from: 1).contains(value) else {
        throw .value(
          "factor", expected: "-1, or an integer from 1 to \(GivenInteger.range.upperBound)",
          found: text)
      }
      factor = value
    }
    decomposesBoth = try arguments.bool("decompose_both") ?? decomposesBoth
    usesFullMatrix = try arguments.bool("full_matrix") ?? usesFullMatrix
    isUnbalanced = try arguments.bool("unbalanced_factorization") ?? isUnbalanced
    blockSize = try arguments.integer("block_size", atLeast: 1) ?? blockSize
    rescales = try arguments.bool("rescaled") ?? rescales
    constraint =
      try arguments.number(
        "constraint", 0...Float.greatestFiniteMagnitude, "a number of at least 0")
      ?? constraint
    scalesInput = try arguments.bool("train_on_input") ?? scalesInput
  }

  /// The options with what a preset says of some modules in their place.
  /// - Throws: `NetworkError.presetOption`
  func overridden(
    by override: Preset.Override, preset: String, target: String
  ) throws(NetworkError) -> ModuleOptions {
    /// Names that the constructors of LyCORIS' modules have.
    let renamed = ["weight_decompose": "dora_wd", "wd_on_out": "wd_on_output"]
    do throws(NetworkError) {
      var options = self
      if let name = override.algorithm { options.algorithm = try NetworkAlgorithm(named: name) }
      options.rank = override.linearRank ?? rank
      options.convolutionRank = override.convolutionRank ?? convolutionRank
      options.factor = override.factor ?? factor
      var arguments = NetworkArguments()
      for (key, value) in override.options.sorted(by: { $0.key < $1.key }) {
        try arguments.add(renamed[key] ?? key, value)
      }
      try arguments.check(
        known: Self.keys.union(["alpha", "linear_alpha", "conv_alpha"]), of: "a preset")
      let finite = -Float.greatestFiniteMagnitude...Float.greatestFiniteMagnitude
      let both = try arguments.number("alpha", finite, "a number")
      options.alpha = try arguments.number("linear_alpha", finite, "a number") ?? both ?? alpha
      options.convolutionAlpha =
        try arguments.number("conv_alpha", finite, "a number") ?? both ?? convolutionAlpha
      try options.take(arguments)
      return options
    } catch {
      throw .presetOption(
        preset, target: target, reason: error.description.replacing("'--network_args': ", with: ""))
    }
  }

  /// alpha as a reader of the file, which divides it by the rank, has to have it.
  var effectiveAlpha: Float {
    let alpha = alpha.flatMap { $0 == 0 ? nil : $0 } ?? Float(rank)
    return usesRootOfRank && algorithm.options.contains("rs_lora")
      ? alpha * Float(rank).squareRoot() : alpha
  }

  /// Of first factors.
  var adapterSettings: AdapterSettings {
    var settings = AdapterSettings(rank: rank, alpha: effectiveAlpha)
    settings.usesTucker = usesTucker && algorithm.options.contains("use_tucker")
    settings.usesScalar = usesScalar && algorithm.options.contains("use_scalar")
    settings.factor = factor
    settings.decomposesBoth = decomposesBoth
    settings.usesFullMatrix = usesFullMatrix
    settings.isUnbalanced = isUnbalanced
    settings.rescales = rescales
    settings.constraint = constraint
    settings.scalesInput = scalesInput
    return settings
  }
}
