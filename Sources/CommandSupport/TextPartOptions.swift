package import ArgumentParser

/// Text encoders in files of their own, and how T5 reads.
package struct TextPartOptions: ParsableArguments {
  @Option(
    name: .customLong("clip_l"),
    help: ArgumentHelp(
      "CLIP-L in a file of its own, for Flux.1 and Stable Diffusion 3.", valueName: "path"),
    completion: .file())
  package var clipL: String?

  @Option(
    name: .customLong("clip_g"),
    help: ArgumentHelp(
      "CLIP-G in a file of its own, for Stable Diffusion 3.", valueName: "path"),
    completion: .file())
  package var clipG: String?

  @Option(
    name: .customLong("t5xxl"),
    help: ArgumentHelp(
      "T5 in a file of its own, for Flux.1 and Stable Diffusion 3. It is read block by block.",
      valueName: "path"), completion: .file())
  package var t5: String?

  @Option(
    name: .customLong("t5xxl_tokenizer"),
    help: ArgumentHelp(
      "tokenizer.json or spiece.model of T5, or a folder with it, where none lies beside T5.",
      valueName: "path"), completion: .file())
  package var t5Tokenizer: String?

  @Option(
    name: .customLong("t5xxl_max_token_length"),
    help: ArgumentHelp(
      "Tokens of a caption that T5 reads. Default: 512 for Flux.1 dev, 256 for schnell and Stable Diffusion 3.",
      valueName: "n"))
  package var t5Length: Int?

  @Flag(
    name: .customLong("apply_t5_attn_mask"),
    help: "Padding of captions is not seen, by T5 and by what reads it.")
  package var masksT5 = false

  /// Files of parts, by the options that name them.
  package var parts: [String: String] {
    ["clip_l": clipL, "clip_g": clipG, "t5xxl": t5].compactMapValues(\.self)
  }

  package init() {}
}
