/// Width and height in pixels.
package struct Resolution: Hashable, Sendable {
  package let width: Int
  package let height: Int

  package init(_ width: Int, _ height: Int) { (self.width, self.height) = (width, height) }

  package var area: Int { width * height }
  var longestSide: Int { max(width, height) }
}

extension Resolution: Comparable {
  /// By width, then by height: the order in which sd-scripts numbers buckets.
  package static func < (a: Resolution, b: Resolution) -> Bool {
    (a.width, a.height) < (b.width, b.height)
  }
}

extension Resolution: CustomStringConvertible {
  /// `512x768`
  package var description: String { "\(width)x\(height)" }
}
