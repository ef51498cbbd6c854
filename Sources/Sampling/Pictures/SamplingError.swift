import Machine
package import ModelFamilies
package import SystemPackage

/// Why pictures cannot be drawn.
package enum SamplingError: Error, Equatable {
  /// A checkpoint of a family that is known and not drawn.
  case family(FilePath, ModelFamily, supported: [String])
  /// One without the part that makes pictures of latents.
  case noDecoder(FilePath)
  /// A layer of a text encoder that is not there.
  case clipSkip(layers: Int, found: Int)
  /// A sampler that cannot draw what a prompt asks for.
  case sampler(place: String, SamplerError)
  /// A picture that is too large for the denoiser, in pixels.
  case side(place: String, found: Int, longest: Int)
  case notFinite(prompt: String, seed: UInt64)
  /// Pictures that cannot fit, in bytes.
  case memory(width: Int, height: Int, needed: Int, available: Int, isNarrow: Bool)
  /// The same of weights alone, whatever the picture.
  case weights(needed: Int, available: Int, isNarrow: Bool)
  /// Finite latents that a decoder makes no picture of.
  case damagedDecoder(FilePath)
}

extension SamplingError {
  /// Whether it is about what options say, and not about files.
  package var isOfOptions: Bool {
    switch self {
    case .clipSkip, .sampler, .side: true
    default: false
    }
  }
}

extension SamplingError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .family(let file, let family, let supported):
      "\(file): expected a checkpoint of \(supported.joined(separator: ", ")), found one of \(family.title), with which "
        + "no pictures are drawn here; ComfyUI draws with others"
    case .noDecoder(let file):
      "\(file): no image autoencoder with a decoder in the checkpoint; give one with '--vae'"
    case .clipSkip(let layers, let found):
      "'--clip_skip': expected 1 to \(layers), the layers of the text encoder, found \(found)"
    case .sampler(let place, let error): "\(place): \(error)"
    case .side(let place, let found, let longest):
      "\(place): expected a side of \(longest) pixels at most, as far as the model knows places, found \(found)"
    case .notFinite(let prompt, let seed):
      "prompt '\(prompt)', seed \(seed): expected finite latents, found NaN or infinity: the checkpoint or an adapter "
        + "is damaged, or the scale or a strength too large"
    case .memory(let width, let height, let needed, let available, let isNarrow):
      "a picture of \(width)x\(height) needs about \(needed.asGigabytes) of memory, \(available.asGigabytes) are "
        + "available; smaller '--width' and '--height'\(isNarrow ? "" : ", or '--mixed_precision bf16',") take less"
    case .weights(let needed, let available, let isNarrow):
      "the model's weights take about \(needed.asGigabytes) of memory, \(available.asGigabytes) are available"
        + (isNarrow
          ? ": no picture is small enough" : "; '--mixed_precision bf16' holds them in half of it")
    case .damagedDecoder(let file):
      "\(file): the image autoencoder makes NaN or infinity of finite latents; it is damaged, or takes bf16 where it "
        + "needs '--mixed_precision no'"
    }
  }
}
