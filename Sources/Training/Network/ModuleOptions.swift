package import Adapters
import Checkpoints
import Machine

/// How the adapter of one module is shaped and trained: what `network_args` say, or the table of a
/// preset for some modules.
package struct ModuleOptions: Sendable {
  package var algorithm: any TrainableAlgorithm.Type
  /// How first factors are shaped. The rank is that of linear layers and of convolutions without extent; an
  /// alpha of nil or 0 means the rank.
  package var form: AdapterSettings
  /// Of other convolutions, which stay as they are where it is nil.
  package var convolutionRank: Int?
  package var convolutionAlpha: Float?
  /// Rate at which neurons are left out.
  package var dropout: Float = 0
  package var rankDropout: Float = 0
  /// Whether what rank dropout leaves is scaled up to make good for the rest.
  package var scalesRankDropout = false
  package var moduleDropout: Float = 0
  /// DoRA.
  package var decomposesWeight = false
  /// DoRA: lengths of rows rather than of input channels.
  package var decomposesOutputs = true
  /// nil for whatever costs least.
  package var bypasses: Bool?
  /// alpha is divided by the root of the rank.
  package var usesRootOfRank = false

  package init(algorithm: any TrainableAlgorithm.Type, rank: Int, alpha: Float? = nil) {
    self.algorithm = algorithm
    form = AdapterSettings(rank: rank, alpha: alpha)
  }

  package var rank: Int {
    get { form.rank }
    set { form.rank = newValue }
  }

  package var alpha: Float? {
    get { form.alpha }
    set { form.alpha = newValue }
  }

  /// The keys of all of them.
  static let keys = Set(TrainingOption.allCases.map(\.rawValue))

  /// Takes over what the arguments say.
  /// - Throws: `NetworkError.value`
  mutating func take(_ arguments: NetworkArguments) throws(NetworkError) {
    dropout = try arguments.rate("dropout") ?? dropout
    rankDropout = try arguments.rate("rank_dropout") ?? rankDropout
    scalesRankDropout = try arguments.bool("rank_dropout_scale") ?? scalesRankDropout
    moduleDropout = try arguments.rate("module_dropout") ?? moduleDropout
    form.usesTucker = try arguments.bool("use_tucker") ?? form.usesTucker
    form.usesScalar = try arguments.bool("use_scalar") ?? form.usesScalar
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
      form.factor = value
    }
    form.decomposesBoth = try arguments.bool("decompose_both") ?? form.decomposesBoth
    form.usesFullMatrix = try arguments.bool("full_matrix") ?? form.usesFullMatrix
    form.isUnbalanced = try arguments.bool("unbalanced_factorization") ?? form.isUnbalanced
    form.blockSize = try arguments.integer("block_size", atLeast: 1) ?? form.blockSize
    form.rescales = try arguments.bool("rescaled") ?? form.rescales
    form.constraint =
      try arguments.number(
        "constraint", 0...Float.greatestFiniteMagnitude, "a number of at least 0")
      ?? form.constraint
    form.scalesInput = try arguments.bool("train_on_input") ?? form.scalesInput
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
      if let name = override.algorithm {
        options.algorithm = try AlgorithmNames.algorithm(named: name)
      }
      options.rank = override.linearRank ?? rank
      options.convolutionRank = override.convolutionRank ?? convolutionRank
      options.form.factor = override.factor ?? form.factor
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
    return usesRootOfRank && algorithm.trainingOptions.contains(.rootOfRank)
      ? alpha * Float(rank).squareRoot() : alpha
  }

  /// Of first factors.
  var adapterSettings: AdapterSettings {
    var settings = form
    settings.alpha = effectiveAlpha
    settings.usesTucker = form.usesTucker && algorithm.trainingOptions.contains(.tucker)
    settings.usesScalar = form.usesScalar && algorithm.trainingOptions.contains(.scalar)
    return settings
  }
}
