import CLayers
package import Tensors

/// Latents cut into tokens, which are in the order of frames, rows and columns.
extension Variable {
  /// Latents `[batch, frames, height, width, channels]` as tokens `[batch, tokens, channels · patch.count]`: times a
  /// kernel of that size as a matrix, this is a convolution whose stride is its size.
  package func patched(_ patch: PatchExtents, _ order: PatchOrder = .channelsFirst) -> Variable {
    let cut = PatchCut(of: shape, patch, order)
    return .record(cut.tokens(of: value), (self, { cut.latents(of: $0) }))
  }

  /// Tokens as latents of that shape, as `patched` cuts them.
  package func unpatched(
    _ patch: PatchExtents, to latents: Shape, _ order: PatchOrder
  ) -> Variable {
    let cut = PatchCut(of: latents, patch, order)
    precondition(shape == cut.tokens, "tokens \(shape) as latents \(latents)")
    return .record(cut.latents(of: value), (self, { cut.tokens(of: $0) }))
  }
}

private struct PatchCut {
  let extents: lyco_patches
  let tokens, latents: Shape

  init(of latents: Shape, _ patch: PatchExtents, _ order: PatchOrder) {
    let grid = patch.grid(of: latents)
    let d = latents.dimensions
    self.latents = latents
    tokens = [d[0], grid.reduce(1, *), d[4] * patch.count]
    extents = lyco_patches(
      batch: d[0], frames: grid[0], rows: grid[1], columns: grid[2], depth: patch.frames,
      height: patch.height, width: patch.width, channels: d[4],
      channels_first: order == .channelsFirst ? 1 : 0)
  }

  func tokens(of latents: Tensor) -> Tensor {
    var extents = extents
    return unsafe Tensor(filling: tokens) { target in
      unsafe latents.reading { unsafe lyco_patch(&extents, $0, target) }
    }
  }

  func latents(of tokens: Tensor) -> Tensor {
    var extents = extents
    return unsafe Tensor(filling: latents) { target in
      unsafe tokens.reading { unsafe lyco_unpatch(&extents, $0, target) }
    }
  }
}
