import Images
import SystemPackage
import Tensors

/// Brings an image to its bucket: decoded, resized to cover it, cropped, mirrored.
struct ImagePreparation {
  private let example: TrainingExample
  private let subset: SubsetSettings
  private let interpolation: Interpolation?

  init(_ example: TrainingExample, of set: TrainingSet) {
    self.example = example
    subset = set.settings(of: example)
    interpolation = set.interpolation(of: example)
  }

  /// An image in its bucket, with the weights of its loss.
  struct Prepared: Sendable {
    /// `[height, width, 3]` from -1 to 1
    let pixels: Tensor
    /// `[height, width]` from 0 to 1
    let mask: Tensor?
  }

  /// - Parameters:
  ///   - isFlipped: whether to mirror it
  ///   - moment: what random crops and colours are drawn for; nil for neither
  /// - Throws: `DatasetError.image`, `.imageChanged`
  func prepared(
    isFlipped: Bool, at moment: CaptionPipeline.Moment?
  ) throws(DatasetError) -> Prepared {
    let usesAlpha = subset.usesAlphaMask && example.mask == nil
    let corner = corner(at: moment)
    var image = try fitted(example.path, alpha: usesAlpha, corner)
    if subset.variesColors, let moment {
      var generator = moment.generator(.color)
      image = ColorVariation(using: &generator).applied(to: image)
    }
    if isFlipped { image = image.flipped() }
    var mask: Tensor?
    if let path = example.mask {
      let fitted = try fitted(path, alpha: false, corner)
      mask = (isFlipped ? fitted.flipped() : fitted).channel(0)
    } else if usesAlpha {
      mask = image.channel(3)
    }
    return Prepared(pixels: image.normalized(), mask: mask)
  }

  /// The mask alone, where a folder has it; latents may come from elsewhere.
  func mask(isFlipped: Bool) throws(DatasetError) -> Tensor? {
    guard let path = example.mask else { return nil }
    let fitted = try fitted(path, alpha: false, corner(at: nil))
    return (isFlipped ? fitted.flipped() : fitted).channel(0)
  }

  /// Masks are treated as their images are, so that they stay in place.
  private func fitted(
    _ path: FilePath, alpha: Bool, _ corner: (x: Int, y: Int)
  ) throws(DatasetError) -> RasterImage {
    let image: RasterImage
    do { image = try RasterImage(decoding: path, alpha: alpha) } catch { throw .image(error) }
    let found = Resolution(image.width, image.height)
    guard found == example.size else {
      throw .imageChanged(path, expected: example.size, found: found)
    }
    let (resized, bucket) = (example.choice.resized, example.bucket)
    return image.resized(width: resized.width, height: resized.height, interpolation)
      .cropped(x: corner.x, y: corner.y, width: bucket.width, height: bucket.height)
  }

  private func corner(at moment: CaptionPipeline.Moment?) -> (x: Int, y: Int) {
    let spare = (
      x: example.choice.resized.width - example.bucket.width,
      y: example.choice.resized.height - example.bucket.height
    )
    guard subset.cropsAtRandom, let moment else { return (spare.x / 2, spare.y / 2) }
    var generator = moment.generator(.crop)
    let x = generator.integer(below: spare.x + 1)
    return (x, generator.integer(below: spare.y + 1))
  }
}
