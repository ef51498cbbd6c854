/// How an image is brought to another size, by the names of sd-scripts' `resize_interpolation`.
package enum Interpolation: String, CaseIterable, Sendable {
  /// Mean over the covered area, OpenCV's `INTER_AREA`.
  case area
  /// Windowed sinc over three lobes, Pillow's `LANCZOS`; it widens where it shrinks.
  case lanczos
  /// Four pixels, OpenCV's `INTER_LINEAR`.
  case bilinear
  /// Sixteen pixels, a = -3/4, OpenCV's `INTER_CUBIC`.
  case bicubic
  /// OpenCV's `INTER_NEAREST_EXACT`.
  case nearest
  /// Mean over the covered pixels, Pillow's `BOX`.
  case box

  /// Whether sd-scripts takes it from Pillow, which keeps 8 bits between the two directions, where OpenCV
  /// keeps more.
  var isOfPillow: Bool { self == .lanczos || self == .box }

  /// nil if sd-scripts has no such name. It takes `linear` and `cubic` too.
  package init?(name: String) {
    switch name {
    case "linear": self = .bilinear
    case "cubic": self = .bicubic
    default: self.init(rawValue: name)
    }
  }

  /// What sd-scripts takes where none is asked for: area to shrink, Lanczos as soon as one side grows.
  package static func standard(from: (width: Int, height: Int), to: (width: Int, height: Int))
    -> Self
  {
    from.width >= to.width && from.height >= to.height ? .area : .lanczos
  }
}
