import LinearAlgebra
package import ModelFamilies
package import Tensors

extension LatentLayout {
  /// What the autoencoder makes, as the denoiser sees it: (z − shift) · scale.
  /// - Parameter latents: `[…, channels]`
  package func scaled(_ latents: Tensor) -> Tensor {
    let scaled = unrounded(latents)
    return scaledFormat.map { EncodedTensor(scaled, as: $0).decoded() } ?? scaled
  }

  /// The inverse: what the decoder is given of what the denoiser made, z / scale + shift.
  /// - Parameter latents: `[…, channels]`
  package func unscaled(_ latents: Tensor) -> Tensor {
    let (shift, scale) = (shift, scale)
    return Tensor(latents.shape, latents.elements.map { $0 / scale + shift })
  }

  private func unrounded(_ latents: Tensor) -> Tensor {
    guard shift != 0 else { return latents * scale }
    let (shift, scale) = (shift, scale)
    return Tensor(latents.shape, latents.elements.map { ($0 - shift) * scale })
  }
}

extension ModelFamily {
  /// Latents of the family's own autoencoder. Traps for a family that has a pipeline and no `[latents]` in its file.
  var commonLatents: LatentLayout {
    guard let latents else {
      preconditionFailure("no latents in the file of family '\(name)'")
    }
    return latents
  }

  /// How files of encoded items are known. Traps for a family that has a pipeline for such and no `[caches]` in its
  /// file.
  var commonCaches: PreparedLayout { caches(of: nil) }

  /// The same of a variant of the family.
  func caches(of variant: String?) -> PreparedLayout {
    guard let prepared = prepared(variant: variant) else {
      preconditionFailure("no caches in the file of family '\(name)'")
    }
    return prepared
  }
}
