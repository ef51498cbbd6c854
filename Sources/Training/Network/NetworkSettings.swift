import Adapters
package import Checkpoints
package import ModelFamilies

/// What is trained, and how: the flags of `--network_*` and `--network_args`, read and checked.
package struct NetworkSettings {
  /// What stands on the command line beside `--network_args`.
  package struct Flags: Sendable {
    /// `--network_module`
    package var module = "networks.lora"
    /// `--network_dim`
    package var rank: Int?
    /// `--network_alpha`; 0 for alpha = rank.
    package var alpha: Float = 1
    /// `--network_dropout`
    package var dropout: Float?
    package var trainsUNet = true
    package var trainsTextEncoders = true
    /// Whether frozen linear layers are held in 8 bits.
    package var hasQuantizedBase = false

    package init() {}
  }

  /// LoRA+: how much faster than the others the up factors are trained; nil for no difference.
  package struct RateRatios: Equatable, Sendable {
    package var unet: Float?
    package var textEncoders: Float?
  }

  package let module: NetworkModule
  package let arguments: NetworkArguments
  package let flags: Flags
  /// For modules without options of their own.
  package let options: ModuleOptions
  /// nil where kohya's own selection counts.
  package let preset: Preset?
  package let filter: ModuleFilter
  package let blocks: BlockSettings?
  /// What is said of single layers; nil for modules that know nothing of the kind.
  package let layers: LayerSettings?
  package let rateRatios: RateRatios
  package let trainsNorms: Bool
  /// Whether every module is to be listed.
  package let isVerbose: Bool
  /// What the user should know beside errors.
  package let notices: [String]

  /// - Parameter blockNumbers: of the family that is trained; nil where its blocks have none.
  /// - Throws: `NetworkError`, and `CheckpointError` for presets and patterns.
  package init(
    _ flags: Flags, _ arguments: NetworkArguments, blockNumbers: BlockNumbers? = nil
  ) throws {
    let module = try NetworkModule(named: flags.module)
    var arguments = arguments
    try arguments.check(known: module.arguments, of: module.name)
    try arguments.refuse(module.unsupported)
    var notices = arguments.notices
    var options = ModuleOptions(
      algorithm: try Self.algorithm(of: module, arguments), rank: flags.rank ?? 4,
      alpha: flags.alpha)
    if case .lycoris = module {
      arguments = arguments.defaulting("dropout", to: flags.dropout.map { "\($0)" })
    }
    try options.take(arguments)
    if arguments["train_on_input"] != nil {
      options.form.scalesInput = false
      notices.append(
        "network_args: 'train_on_input' is ignored: LyCORIS takes it from the options of a preset alone"
      )
    }
    if module.followsKohya { options.dropout = flags.dropout ?? 0 }
    try Self.takeConvolutions(arguments, module, &options, &notices)
    self.flags = flags
    self.module = module
    self.arguments = arguments
    self.preset = module.followsKohya ? nil : try Preset(named: arguments["preset"] ?? "full")
    filter = try ModuleFilter(
      exclude: arguments["exclude_patterns"].map { [$0] } ?? [],
      include: arguments["include_patterns"].map { [$0] } ?? [],
      origin: { "'--network_args': \($0)" })
    if case .kohya = module {
      blocks = try BlockSettings(arguments, options, blockNumbers)
      layers = try LayerSettings(arguments, module.layerArguments)
    } else {
      (blocks, layers) = (nil, nil)
    }
    let positive = Float.leastNonzeroMagnitude...Float.greatestFiniteMagnitude
    let ratio = try arguments.number("loraplus_lr_ratio", positive, "a positive number")
    rateRatios = RateRatios(
      unet: try arguments.number("loraplus_unet_lr_ratio", positive, "a positive number") ?? ratio,
      textEncoders: try arguments.number(
        "loraplus_text_encoder_lr_ratio", positive, "a positive number") ?? ratio)
    trainsNorms = try arguments.bool("train_norm") ?? false
    isVerbose = try arguments.bool("verbose") ?? false
    _ = try arguments.bool("warn_on_unmatched")
    if try arguments.bool("rank_dropout_scale") ?? false {
      notices.append(
        "network_args: 'rank_dropout_scale' counts here, which LyCORIS takes from a preset alone")
    }
    for key in ["train_t5xxl", "train_llm_adapter"] where try arguments.bool(key) ?? false {
      notices.append("network_args: '\(key)' has no effect: such a part is not trained here")
    }
    if let meant = options.algorithm.preset, preset?.name != meant {
      notices.append("network_args: preset=\(meant) is what \(options.algorithm.name) is meant for")
    }
    self.options = options
    self.notices = notices
  }

  private static func algorithm(
    of module: NetworkModule, _ arguments: NetworkArguments
  ) throws(NetworkError) -> any TrainableAlgorithm.Type {
    switch module {
    case .kohya: return LoRA.self
    case .musubi(let algorithm): return algorithm
    case .lycoris:
      guard let name = arguments["algo"] else { return LoRA.self }
      return try AlgorithmNames.algorithm(named: name)
    }
  }

  /// Ranks of convolutions with a kernel: LyCORIS trains them unless told otherwise, kohya only where told.
  private static func takeConvolutions(
    _ arguments: NetworkArguments, _ module: NetworkModule, _ options: inout ModuleOptions,
    _ notices: inout [String]
  ) throws(NetworkError) {
    let rank = try arguments.integer("conv_dim", atLeast: 0)
    let finite = -Float.greatestFiniteMagnitude...Float.greatestFiniteMagnitude
    let alpha = try arguments.number("conv_alpha", finite, "a number")
    if module.followsKohya {
      options.convolutionRank = rank == 0 ? nil : rank
      options.convolutionAlpha = alpha ?? 1
    } else {
      // LyCORIS reads 0 as none given, and trains all the same.
      if rank == 0 { notices.append("network_args: conv_dim=0 leaves convolutions as they are") }
      options.convolutionRank = rank == 0 ? nil : rank ?? options.rank
      options.convolutionAlpha = alpha ?? options.alpha
    }
  }
}
