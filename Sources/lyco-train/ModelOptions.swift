import ArgumentParser
import CommandSupport

/// What is trained upon.
struct ModelOptions: ParsableArguments {
  @Option(
    name: [
      .customLong("pretrained_model_name_or_path"), .customLong("base"), .customLong("dit"),
    ],
    help: ArgumentHelp(
      "The checkpoint to train upon: a single file or a folder of diffusers.", valueName: "path"),
    completion: .file())
  var base: String?

  @Option(
    name: [.long, .customLong("ae")],  // kohya: the option of Flux.1
    help: ArgumentHelp("Another VAE than the checkpoint's: a file or folder.", valueName: "path"),
    completion: .file())
  var vae: String?

  @OptionGroup var text: TextPartOptions

  @Flag(help: "The checkpoint is Stable Diffusion 2.x. Recognized anyway, unless it is odd.")
  var v2 = false

  @Flag(name: .customLong("v_parameterization"), help: "The model predicts v, not the noise.")
  var predictsVelocity = false

  @Option(
    name: .customLong("clip_skip"),
    help: ArgumentHelp(
      "Use the text encoder's output so many layers from the end; 1 is the last.", valueName: "n"))
  var clipSkip: Int?

  @Option(
    name: .customLong("max_token_length"),
    help: ArgumentHelp(
      "Tokens of a caption that count: 75, 150 or 225.", valueName: "n"),
    completion: .list(OptionTable.words(of: "max_token_length", in: .train)))
  var maxTokenLength = 75

  @Option(
    name: .customLong("mixed_precision"),
    help: ArgumentHelp(
      "Format in which the frozen weights are held and multiplied: no (f32) or bf16. Adapter and "
        + "optimizer are always f32.", valueName: "format"),
    completion: .list(OptionTable.words(of: "mixed_precision", in: .train)))
  var mixedPrecision = "no"

  @Option(
    name: .customLong("dit_high_noise"),
    help: ArgumentHelp(
      "The network for much noise of a model that has two, as Wan 2.2; the adapter is trained for both.",
      valueName: "path"), completion: .file())
  var highNoise: String?

  @Option(
    name: .customLong("timestep_boundary"),
    help: ArgumentHelp(
      "From which timestep on it counts, of 1000. Default: as the model was trained.",
      valueName: "t"))
  var boundary: Double?

  @Option(
    name: .customLong("model_version"),
    help: ArgumentHelp(
      "What the weights do not tell: edit, edit-2509 or edit-2511 of a Qwen-Image that sees other pictures.",
      valueName: "version"),
    completion: .list(OptionTable.words(of: "model_version", in: .train)))
  var version: String?

  @Flag(name: .customLong("edit"), help: "The same as --model_version edit.")
  var isEdit = false

  @Flag(name: .customLong("edit_plus"), help: "The same as --model_version edit-2509.")
  var isEditPlus = false

  @Option(
    name: .customLong("dit_dtype"),
    help: ArgumentHelp(
      "Format of the weights of a transformer: bfloat16 or float32; --mixed_precision bf16 is the same as bfloat16.",
      valueName: "dtype"), completion: .list(OptionTable.words(of: "dit_dtype", in: .train)))
  var transformerFormat: String?

  @Flag(
    name: .customLong("apply_lg_attn_mask"),
    help: "Of Stable Diffusion 3: CLIP does not see the padding of captions.")
  var appliesCLIPMask = false

  @Flag(
    name: .customLong("fp8_base"),
    help: "Hold the weights of a transformer in 8 bits, as --base_weights_dtype int8.")
  var holdsFP8 = false

  @Flag(name: .customLong("fp8_scaled"), help: "With --fp8_base: a scale for every row, as always.")
  var scalesFP8 = false

  @Option(
    name: .customLong("blocks_to_swap"),
    help: ArgumentHelp(
      "Blocks of a transformer that are not kept in memory, but read for every step.",
      valueName: "n"))
  var streamedBlocks: Int?

  @Option(
    name: .customLong("base_weights_dtype"),
    help: ArgumentHelp(
      "int8 holds the frozen linear layers in 8 bits, with a scale for every row (QLyCORIS).",
      valueName: "dtype"),
    completion: .list(OptionTable.words(of: "base_weights_dtype", in: .train)))
  var baseWeightsFormat: String?

  @Option(
    name: .customLong("base_weights"), parsing: .singleValue,
    help: ArgumentHelp("Adapters to merge into the checkpoint before training.", valueName: "path"),
    completion: .file())
  var mergedAdapters: [String] = []

  @Option(
    name: .customLong("base_weights_multiplier"), parsing: .singleValue,
    help: ArgumentHelp("Their strengths, 1 where missing.", valueName: "ratio"))
  var mergedRatios: [Float] = []

  @Option(
    help: ArgumentHelp(
      "A fine-tuned checkpoint of the same model: the adapter learns to predict what that predicts.",
      valueName: "path"), completion: .file())
  var teacher: String?

  @Option(
    name: .customLong("teacher_prompts"),
    help: ArgumentHelp(
      "Without images the teacher draws its own latents: a file of prompts, as --sample_prompts. Default: the empty "
        + "prompt.", valueName: "path"), completion: .file())
  var teacherPrompts: String?

  @Option(
    name: .customLong("teacher_samples"),
    help: ArgumentHelp("How many it draws.", valueName: "n"))
  var teacherSamples = 64

  /// The variant of the family, nil for what it was first: `--model_version` counts before the others, as in
  /// musubi-tuner.
  var variant: String? {
    let named = version ?? (isEditPlus ? "edit-2509" : isEdit ? "edit" : nil)
    return named == "original" ? nil : named
  }

  func validate() throws {
    if let clipSkip, clipSkip < 1 {
      throw ValidationError("'--clip_skip': expected 1 or more, found \(clipSkip)")
    }
  }
}
