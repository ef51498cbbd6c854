package import Tensors

/// How many frames, lines and columns of latents make one token.
package struct PatchExtents: Hashable, Sendable {
  package let frames, height, width: Int

  package init(frames: Int, height: Int, width: Int) {
    precondition(
      frames > 0 && height > 0 && width > 0, "a patch of \(frames) × \(height) × \(width)")
    (self.frames, self.height, self.width) = (frames, height, width)
  }

  /// Places in a patch.
  package var count: Int { frames * height * width }

  /// The grid of tokens, `[frames, rows, columns]`, of latents `[batch, frames, height, width, channels]`.
  package func grid(of latents: Shape) -> [Int] {
    let d = latents.dimensions
    precondition(
      d.count == 5 && d[1] % frames == 0 && d[2] % height == 0 && d[3] % width == 0,
      "patches of \(frames) × \(height) × \(width) in latents \(latents)")
    return [d[1] / frames, d[2] / height, d[3] / width]
  }
}

/// How the elements of a token go.
package enum PatchOrder: Sendable {
  /// By channel, frame, line, column, as a kernel `[out, channels, frames, height, width]` lies.
  case channelsFirst
  /// By frame, line, column, channel.
  case channelsLast
}
