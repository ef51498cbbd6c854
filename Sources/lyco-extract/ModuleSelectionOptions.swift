import ArgumentParser
import Checkpoints
import FoundationEssentials

/// Which modules take part.
struct ModuleSelectionOptions: ParsableArguments {
  @Option(
    name: .customLong("preset"),
    help: ArgumentHelp(
      "A LyCORIS preset (" + Preset.builtInNames.joined(separator: ", ")
        + ") or a TOML file. Default: every layer of denoiser and text encoders.",
      valueName: "name or file"), completion: .list(Preset.builtInNames))
  var presetName: String?

  @Flag(help: "Also store the changes of normalization layers (w_norm, b_norm).")
  var norms = false

  @Flag(
    name: [.customLong("bias"), .customLong("biases")],
    help: "Also store the changes of biases (diff_b).")
  var biases = false

  /// - Throws: `CheckpointError`
  var preset: Preset? {
    get throws { try presetName.map { try Preset(named: $0) } }
  }
}
