/// How files are known in which a family's items lie encoded, latents and captions alike, before training begins.
///
/// Source: musubi-tuner `dataset/architectures.py`, `dataset/cache_io.py`.
package struct PreparedLayout: Hashable, Sendable {
  /// The word in names of files, without an underscore: `hv` of `clip_00000-025_0960x0544_hv.safetensors`.
  package let name: String
  /// The word in their metadata: `hunyuan_video`.
  package let architecture: String
  /// Sides of pictures are multiples of it, in pixels.
  package let step: Int
  /// The program that makes the files of latents.
  package let latentsCommand: String
  /// The program that makes the files of captions.
  package let textCommand: String

  package init(
    name: String, architecture: String, step: Int, latentsCommand: String, textCommand: String
  ) {
    precondition(!name.contains("_"), "'\(name)' has an underscore")
    self.name = name
    self.architecture = architecture
    self.step = step
    self.latentsCommand = latentsCommand
    self.textCommand = textCommand
  }
}
