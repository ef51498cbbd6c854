package import ModelFamilies

/// Whether and where latents are kept.
package struct LatentCacheSettings: Sendable {
  package enum Place: Equatable, Sendable {
    case memory
    /// Beside the images.
    case disk(Format)

    package var isDisk: Bool { self != .memory }
  }

  package enum Format: String, CaseIterable, Sendable {
    /// `{stem}_{width}x{height}_{family}.npz` of sd-scripts, named by the image's size: one sample of the
    /// latents, the same in every epoch.
    case npz
    /// `{stem}_{width}x{height}_{family}.safetensors.zst`, named by the bucket's size: the whole distribution,
    /// from which every epoch draws anew.
    case safetensors = "safetensors.zst"
  }

  package var place: Place
  /// Any text that differs between VAEs, such as a hash of the weights; nil where there is none to compare with.
  package var vae: String?
  /// Images that are encoded at once.
  package var batchSize = 1
  /// Whether what is on disk is taken without comparing what it was made from.
  package var trustsDisk = false
  /// Of the run, for the samples in `npz`.
  package var seed: UInt64
  /// Threads that decode ahead of the encoder.
  package var threads = 1
  package let latents: LatentLayout

  package init(_ place: Place, _ latents: LatentLayout, vae: String?, seed: UInt64) {
    (self.place, self.latents, self.vae, self.seed) = (place, latents, vae, seed)
  }
}
