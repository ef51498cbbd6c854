import ArgumentParser
import CommandSupport

/// What pictures are drawn with.
struct SampleModelOptions: ParsableArguments {
  @Option(
    name: [.customLong("base"), .customLong("ckpt"), .customLong("pretrained_model_name_or_path")],
    help: ArgumentHelp(
      "The checkpoint: a single file or a folder of diffusers.", valueName: "path"),
    completion: .file())
  var path: String?

  @Option(
    name: [.long, .customLong("ae")],  // kohya: the option of Flux.1
    help: ArgumentHelp("Another VAE than the checkpoint's: a file or folder.", valueName: "path"),
    completion: .file())
  var vae: String?

  @OptionGroup var text: TextPartOptions

  @Option(
    name: .customLong("clip_skip"),
    help: ArgumentHelp(
      "Use the text encoder's output so many layers from the end; 1 is the last.", valueName: "n"))
  var clipSkip: Int?

  @Flag(
    name: .customLong("v_parameterization"),
    help: "The model predicts v, not the noise. Folders of diffusers say it themselves.")
  var predictsVelocity = false

  @Flag(
    name: .customLong("zero_terminal_snr"),
    help: "The model was trained with noise alone at the last timestep.")
  var hasZeroTerminalSNR = false

  @Option(
    name: .customLong("mixed_precision"),
    help: ArgumentHelp(
      "Format in which weights are held and multiplied: no (f32) or bf16.", valueName: "format"),
    completion: .list(OptionTable.words(of: "mixed_precision", in: .sample)))
  var mixedPrecision = "no"

  func validate() throws {
    if let clipSkip, clipSkip < 1 {
      throw ValidationError("'--clip_skip': expected 1 or more, found \(clipSkip)")
    }
  }

  /// A list in kohya's `gen_img.py`, a module for each adapter.
  static let modules = "network_module"

  /// What may follow the first module, so that an adapter behind the list is none.
  static let moduleNames: Set<String> = [
    "networks.lora", "networks.lora_fa", "networks.dylora", "networks.oft", "networks.oft_flux",
    "networks.lora_sd3", "networks.lora_flux", "networks.lora_diffusers",
    "networks.control_net_lllite", "networks.control_net_lllite_for_train", "lycoris.kohya",
  ]

  /// Options of kohya's `gen_img.py` that need no counterpart.
  static let ignored = KohyaOptions.ignored
    .filter { $0.key != "v_parameterization" }
    .merging([
      "xformers": (false, "attention is computed in tiles"),
      "diffusers_xformers": (false, "attention is computed in tiles"),
      "sdpa": (false, "attention is computed in tiles"),
      "no_half_vae": (false, "'--mixed_precision' says in what format numbers are"),
      "opt_channels_last": (false, "the channels are last"),
      "max_embeddings_multiples": (true, "a prompt is as long as it is"),
    ]) { $1 }
}
