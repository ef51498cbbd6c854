import ArgumentParser

/// What is trained.
struct NetworkOptions: ParsableArguments {
  @Option(
    name: .customLong("network_module"),
    help: ArgumentHelp(
      "networks.lora, or lycoris.kohya for every algorithm of LyCORIS.", valueName: "module"))
  var module = "networks.lora"

  @Option(name: .customLong("network_dim"), help: ArgumentHelp("Rank. Default: 4.", valueName: "n"))
  var rank: Int?

  @Option(
    name: .customLong("network_alpha"),
    help: ArgumentHelp("The change is scaled by alpha / rank; 0 for alpha = rank.", valueName: "a"))
  var alpha: Float = 1

  @Option(
    name: .customLong("network_args"), parsing: .singleValue,
    help: ArgumentHelp(
      "Options of the network: \"algo=loha\" \"preset=attn-mlp\" \"conv_dim=8\" …; see "
        + "docs/lyco-train.md for all of them.", valueName: "key=value"))
  var arguments: [String] = []

  @Option(
    name: .customLong("network_dropout"),
    help: ArgumentHelp("Rate of neurons of the adapter that are left out.", valueName: "rate"))
  var dropout: Float?

  @Option(
    name: .customLong("network_weights"),
    help: ArgumentHelp("An adapter to go on from.", valueName: "path"), completion: .file())
  var weights: String?

  @Flag(name: .customLong("dim_from_weights"), help: "Take ranks from that adapter.")
  var takesRanksFromWeights = false

  @Option(
    name: .customLong("init"),
    help: ArgumentHelp(
      "An adapter to go on from with the modules, ranks and alphas that it has: --network_weights with "
        + "--dim_from_weights.", valueName: "path"), completion: .file())
  var initial: String?

  @Flag(
    name: .customLong("network_train_unet_only"), help: "Leave the text encoder as it is.")
  var trainsUNetOnly = false

  @Flag(
    name: .customLong("network_train_text_encoder_only"), help: "Leave the UNet as it is.")
  var trainsTextEncoderOnly = false

  @Option(
    name: .customLong("scale_weight_norms"),
    help: ArgumentHelp("Bound of the norm of every module's change.", valueName: "norm"))
  var normLimit: Float?

  func validate() throws {
    if let rank, rank < 1 {
      throw ValidationError("'--network_dim': expected 1 or more, found \(rank)")
    }
    if trainsUNetOnly && trainsTextEncoderOnly {
      throw ValidationError(
        "'--network_train_unet_only' and '--network_train_text_encoder_only' leave nothing to train"
      )
    }
    if let dropout, !(0..<1).contains(dropout) {
      throw ValidationError("'--network_dropout': expected 0 up to below 1, found \(dropout)")
    }
    if let normLimit, !(normLimit > 0) {
      throw ValidationError("'--scale_weight_norms': expected more than 0, found \(normLimit)")
    }
    if takesRanksFromWeights && weights == nil {
      throw ValidationError("'--dim_from_weights' needs '--network_weights'")
    }
  }
}
