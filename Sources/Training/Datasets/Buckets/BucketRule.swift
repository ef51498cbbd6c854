/// Which resolution an image is trained in: sd-scripts' rule (library/train_util.py, `BucketManager`,
/// and library/model_util.py, `make_bucket_resolutions`).
package struct BucketRule: Sendable {
  /// Where an image goes.
  package struct Choice: Equatable, Sendable {
    package let bucket: Resolution
    /// The size that the image is brought to; it covers the bucket, and is cropped to it.
    package let resized: Resolution
    /// Proportion of the bucket less that of the image.
    package let proportionError: Double
  }

  /// Resolutions to choose from, ascending; empty where images decide.
  package let resolutions: [Resolution]
  /// The step and the area that bound images which are not enlarged; nil where `resolutions` decide.
  private let unscaled: (step: Int, area: Int)?

  /// The one resolution of a dataset without buckets.
  package init(fixed resolution: Resolution) {
    resolutions = [resolution]
    unscaled = nil
  }

  /// - Parameter settings: `smallest` and `largest` are widened to multiples of `step`.
  package init(_ resolution: Resolution, _ settings: BucketSettings) {
    guard !settings.neverEnlarges else {
      resolutions = []
      unscaled = (settings.step, resolution.area)
      return
    }
    unscaled = nil
    resolutions = Self.resolutions(
      area: resolution.area, in: Self.sides(settings), step: settings.step)
  }

  /// Least and greatest side as multiples of the step.
  package static func sides(_ settings: BucketSettings) -> ClosedRange<Int> {
    let (low, high, step) = (settings.smallest, settings.largest, settings.step)
    let lower = low - low % step
    return lower...max(lower, high % step == 0 ? high : high + step - high % step)
  }

  /// For every width the greatest height that keeps the area, both ways round.
  private static func resolutions(
    area: Int, in sides: ClosedRange<Int>, step: Int
  ) -> [Resolution] {
    let square = Int(Double(area).squareRoot()) / step * step
    var found: Set<Resolution> = square > 0 ? [Resolution(square, square)] : []
    // Wider ones leave no height.
    let widest = min(sides.upperBound, area / max(sides.lowerBound, step))
    for width in stride(from: max(sides.lowerBound, step), through: widest, by: step) {
      let height = min(sides.upperBound, area / width / step * step)
      guard height >= sides.lowerBound, height > 0 else { continue }
      found.insert(Resolution(width, height))
      found.insert(Resolution(height, width))
    }
    return found.sorted()
  }

  /// nil for an image that is smaller than the step and must not be enlarged.
  package func choice(for image: Resolution) -> Choice? {
    let proportion = Double(image.width) / Double(image.height)
    guard let unscaled else { return predefined(image, proportion) }
    var resized = image
    if image.area > unscaled.area {
      resized = Self.shrunken(proportion, to: unscaled.area, step: unscaled.step)
    }
    let bucket = Resolution(
      resized.width - resized.width % unscaled.step,
      resized.height - resized.height % unscaled.step)
    guard bucket.area > 0 else { return nil }
    return Choice(
      bucket: bucket, resized: resized,
      proportionError: Double(bucket.width) / Double(bucket.height) - proportion)
  }

  private func predefined(_ image: Resolution, _ proportion: Double) -> Choice? {
    func error(_ r: Resolution) -> Double { abs(Double(r.width) / Double(r.height) - proportion) }
    // An image that has a resolution already keeps it. Else the first of the nearest.
    guard
      let bucket = resolutions.contains(image)
        ? image : resolutions.min(by: { error($0) < error($1) })
    else { return nil }
    let bucketProportion = Double(bucket.width) / Double(bucket.height)
    let scale =
      proportion > bucketProportion
      ? Double(bucket.height) / Double(image.height) : Double(bucket.width) / Double(image.width)
    return Choice(
      bucket: bucket,
      resized: Resolution(
        Int(Double(image.width) * scale + 0.5), Int(Double(image.height) * scale + 0.5)),
      proportionError: bucketProportion - proportion)
  }

  /// The size of about `area` whose width or height is a multiple of the step: of the two the one
  /// that keeps the proportion better.
  private static func shrunken(_ proportion: Double, to area: Int, step: Int) -> Resolution {
    func floored(_ x: Double) -> Int { Int(x + 0.5) / step * step }
    let width = (Double(area) * proportion).squareRoot()
    let (byWidth, byHeight) = (floored(width), floored(Double(area) / width))
    let heightOfWidth = floored(Double(byWidth) / proportion)
    let widthOfHeight = floored(Double(byHeight) * proportion)
    // A quotient of a side that was floored to nothing is infinite, or no number, and never nearer.
    let widthError = abs(Double(byWidth) / Double(heightOfWidth) - proportion)
    let heightError = abs(Double(widthOfHeight) / Double(byHeight) - proportion)
    return widthError < heightError
      ? Resolution(byWidth, Int(Double(byWidth) / proportion + 0.5))
      : Resolution(Int(Double(byHeight) * proportion + 0.5), byHeight)
  }

  /// Edges of the image in the bucket, if it were brought to lie inside rather than to cover: what
  /// sd-scripts stores as `crop_ltrb`.
  package static func edges(
    of image: Resolution, in bucket: Resolution
  ) -> (left: Double, top: Double, right: Double, bottom: Double) {
    let (bucketWidth, bucketHeight) = (Double(bucket.width), Double(bucket.height))
    let proportion = Double(image.width) / Double(image.height)
    let isWider = bucketWidth / bucketHeight > proportion
    let width = isWider ? bucketHeight * proportion : bucketWidth
    let height = isWider ? bucketHeight : bucketWidth / proportion
    let left = ((bucketWidth - width) / 2).rounded(.down)
    let top = ((bucketHeight - height) / 2).rounded(.down)
    return (left, top, left + width, top + height)
  }
}
