/// Which resolution an item had when it was encoded: the rule of musubi-tuner, `BucketSelector` of
/// `dataset/bucket.py`, which has fewer resolutions than that of sd-scripts.
package struct PreparedBucketRule: Sendable {
  /// Resolutions to choose from, ascending.
  package let resolutions: [Resolution]
  /// The step, and the area up to which an item keeps its own size; nil where all are brought to `resolutions`.
  private let unscaled: (step: Int, area: Int)?

  /// The one resolution of a dataset without buckets.
  package init(fixed resolution: Resolution) {
    resolutions = [resolution]
    unscaled = nil
  }

  /// Widths from half the side of a square of that area to the side, and both ways round.
  /// - Parameter step: 1 or more; all sides are multiples of it.
  package init(_ resolution: Resolution, step: Int, neverEnlarges: Bool) {
    let side = Int(Double(resolution.area).squareRoot())
    var found: Set<Resolution> = []
    for width in stride(from: max(side / 2 / step, 1) * step, to: side + step, by: step) {
      let height = resolution.area / width / step * step
      guard height > 0 else { continue }
      found.insert(Resolution(width, height))
      found.insert(Resolution(height, width))
    }
    resolutions = found.sorted()
    unscaled = neverEnlarges ? (step, resolution.area) : nil
  }

  /// - Parameter item: with sides of 1 or more.
  /// - Returns: nil for an item that is smaller than the step and is not enlarged, or an area in which no side fits.
  package func bucket(of item: Resolution) -> Resolution? {
    if let unscaled, item.area <= unscaled.area {
      let bucket = Resolution(
        item.width / unscaled.step * unscaled.step, item.height / unscaled.step * unscaled.step)
      return bucket.area > 0 ? bucket : nil
    }
    func error(_ bucket: Resolution) -> Double {
      abs(
        Double(bucket.width) / Double(bucket.height) - Double(item.width) / Double(item.height))
    }
    // The first of the nearest.
    return resolutions.min { error($0) < error($1) }
  }
}
