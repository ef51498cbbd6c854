import Tensors

/// What the weights of a Flux.1 do not tell about it.
package struct FluxConfiguration: Hashable, Sendable {
  package var epsilon: Float = 1e-6
  package var theta = 10000.0
  /// Whether the last modulation has its scale before its shift, as diffusers writes it.
  package var scalesFirst = false
  /// Numbers of a head that the index of the picture, rows and columns turn; nil for 16, 56 and 56 of 128.
  package var axes: [Int]?

  package init() {}

  /// Widths of heads are multiples of it, so that each axis turns pairs.
  static let headStep = 32

  /// - Throws: `ModelError` for axes that do not make up a head.
  func axes(ofHead width: Int, _ builder: LayerBuilder, at path: String) throws -> [Int] {
    guard let axes else {
      try builder.require("heads", width, multipleOf: Self.headStep, at: path)
      let pictures = width / 8
      return [pictures, (width - pictures) / 2, (width - pictures) / 2]
    }
    guard axes.count == 3, axes.reduce(0, +) == width, axes.allSatisfy({ $0 % 2 == 0 }) else {
      throw ModelError.parameterShape(
        component: builder.component, name: path, expected: [axes.reduce(0, +)], found: [width])
    }
    return axes
  }
}
