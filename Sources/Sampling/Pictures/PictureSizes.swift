package import ModelFamilies

/// Which sizes a model draws.
package struct PictureSizes: Sendable {
  /// What kohya's scripts draw at least, in pixels of a side.
  package static let smallest = 64

  /// At which the family was trained, in pixels.
  package let usual: (width: Int, height: Int)
  /// Pixels of a side of what one place of the latents covers.
  package let stride: Int

  package init(of family: ModelFamily, stride: Int) {
    let sides = FamilyMetadata(of: family)?.resolution.split(separator: "x").compactMap { Int($0) }
    usual = sides?.count == 2 ? (sides![0], sides![1]) : (512, 512)
    self.stride = stride
  }

  /// The nearest size that is drawn, not larger than the one that is asked for where that is possible.
  package func fitted(_ side: Int) -> Int { max(side - side % stride, Self.smallest) }
}
