extension RasterImage {
  /// The image in another size, its sides stretched as they need to be.
  /// - Parameter interpolation: nil for sd-scripts' choice, see `Interpolation.standard`
  /// - Precondition: both extents are positive
  /// - Complexity: O(source width · taps · height) for each of the two directions
  package func resized(
    width target: Int, height targetHeight: Int, _ interpolation: Interpolation? = nil
  ) -> RasterImage {
    precondition(target > 0 && targetHeight > 0, "resize to \(target)x\(targetHeight)")
    if target == width && targetHeight == height { return self }
    let interpolation =
      interpolation
      ?? .standard(from: (width, height), to: (width: target, height: targetHeight))
    let enlarging = target > width || targetHeight > height
    let across = ResamplingWeights(interpolation, from: width, to: target, enlarging: enlarging)
    let down = ResamplingWeights(
      interpolation, from: height, to: targetHeight, enlarging: enlarging)

    // Rows are narrowed one by one and added to the target rows that need them, so that no image of
    // floats is held: `down.taps` rows are.
    var result = [UInt8](repeating: 0, count: target * targetHeight * channels)
    var ring = [[Float]](repeating: [], count: down.taps)
    var held = [Int](repeating: -1, count: down.taps)
    for y in 0..<targetHeight {
      var sum = [Float](repeating: 0, count: target * channels)
      for tap in 0..<down.taps {
        let weight = down.weights[y * down.taps + tap]
        guard weight != 0 else { continue }
        let row = down.starts[y] + tap
        let slot = row % down.taps
        if held[slot] != row {
          ring[slot] = narrowed(row: row, across, target, rounds: interpolation.isOfPillow)
          held[slot] = row
        }
        Self.add(ring[slot], times: weight, to: &sum)
      }
      Self.store(
        sum, in: &result, at: y * target * channels,
        halvesUp: interpolation.isOfPillow)
    }
    return RasterImage(width: target, height: targetHeight, channels: channels, pixels: result)
  }

  private func narrowed(
    row: Int, _ across: ResamplingWeights, _ target: Int, rounds: Bool
  ) -> [Float] {
    var values = [Float](repeating: 0, count: target * channels)
    var to = values.mutableSpan
    let from = pixels.span
    let (starts, weights, taps) = (across.starts.span, across.weights.span, across.taps)
    let (channels, base) = (self.channels, row * width * self.channels)
    for x in 0..<target {
      let first = base + starts[x] * channels
      for c in 0..<channels {
        var sum: Float = 0
        for tap in 0..<taps {
          sum += weights[x * taps + tap] * Float(from[first + tap * channels + c])
        }
        to[x * channels + c] = rounds ? max(0, min(255, (sum + 0.5).rounded(.down))) : sum
      }
    }
    return values
  }

  private static func add(
    _ row: [Float], times weight: Float, to sum: inout [Float]
  ) {
    let from = row.span
    var to = sum.mutableSpan
    for i in 0..<from.count { to[i] += weight * from[i] }
  }

  /// - Parameter halvesUp: whether halves are rounded up, as Pillow does; else to even, as OpenCV does
  private static func store(
    _ sum: [Float], in pixels: inout [UInt8], at start: Int, halvesUp: Bool
  ) {
    let from = sum.span
    var to = pixels.mutableSpan
    for i in 0..<from.count {
      let value = halvesUp ? (from[i] + 0.5).rounded(.down) : from[i].rounded(.toNearestOrEven)
      to[start + i] = UInt8(max(0, min(255, value)))
    }
  }
}
