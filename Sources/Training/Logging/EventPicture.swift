/// A picture as TensorBoard's event files hold it.
package struct EventPicture: Sendable {
  package let width, height: Int
  /// A whole file, RGB.
  package let png: [UInt8]

  package init(width: Int, height: Int, png: [UInt8]) {
    self.width = width
    self.height = height
    self.png = png
  }
}
