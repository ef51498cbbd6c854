import LinearAlgebra
import Tensors

/// Noise of several resolutions in one (multires noise), `[height, width, channels]`.
enum NoisePyramid {
  /// Layers for noise of a shape: each is smaller by the power of a ratio that is drawn from 2 to 4, and the
  /// last is the first with only one row or column.
  static func layers(
    under shape: Shape, count: Int, using generator: inout CounterGenerator
  ) -> [Tensor] {
    let d = shape.dimensions
    var layers: [Tensor] = []
    for i in 0..<count {
      let ratio = Double(generator.uniform()) * 2 + 2
      let (height, width) = extents(d[0], d[1], ratio: ratio, power: i)
      layers.append(Tensor(normal: [height, width, d[2]], using: &generator))
      if height == 1 || width == 1 { break }
    }
    return layers
  }

  /// Of layer number `power`, counted from 0, which has full size.
  static func extents(_ height: Int, _ width: Int, ratio: Double, power: Int) -> (Int, Int) {
    let divisor = (0..<power).reduce(1.0) { product, _ in product * ratio }
    return (max(1, Int(Double(height) / divisor)), max(1, Int(Double(width) / divisor)))
  }

  /// The noise and its layers, enlarged, each with `discount` of the weight of the one before; deviation 1.
  static func sum(_ noise: Tensor, _ layers: [Tensor], discount: Float) -> Tensor {
    var sum = noise
    var weight: Float = 1
    for layer in layers {
      sum.add(layer.enlarged(toward: noise.shape), times: weight)
      weight *= discount
    }
    return sum * (1 / Float(sum.deviation))
  }
}

extension Tensor {
  /// Over all elements, with n − 1 degrees of freedom.
  fileprivate var deviation: Double {
    var total = 0.0
    for element in elements { total += Double(element) }
    let mean = total / Double(count)
    var squares = 0.0
    for element in elements { squares += (Double(element) - mean) * (Double(element) - mean) }
    return (squares / Double(count - 1)).squareRoot()
  }

  /// Bilinear, sample points at the centres of pixels; `[height, width, channels]`.
  func enlarged(toward shape: Shape) -> Tensor {
    let (from, to) = (self.shape.dimensions, shape.dimensions)
    let channels = from[2]
    let rows = Self.taps(from: from[0], to: to[0])
    let columns = Self.taps(from: from[1], to: to[1])
    var result = Tensor(zeros: shape)
    var position = 0
    for row in rows {
      for column in columns {
        let corners = [row.low, row.high].flatMap { y in
          [column.low, column.high].map { x in (y * from[1] + x) * channels }
        }
        for channel in 0..<channels {
          let top =
            (1 - column.weight) * elements[corners[0] + channel]
            + column.weight * elements[corners[1] + channel]
          let bottom =
            (1 - column.weight) * elements[corners[2] + channel]
            + column.weight * elements[corners[3] + channel]
          result.elements[position] = (1 - row.weight) * top + row.weight * bottom
          position += 1
        }
      }
    }
    return result
  }

  /// For every target pixel of an axis the two it is between, and the weight of the second.
  private static func taps(from: Int, to: Int) -> [(low: Int, high: Int, weight: Float)] {
    let scale = Float(from) / Float(to)
    return (0..<to).map { i in
      let place = max(0, (Float(i) + 0.5) * scale - 0.5)
      let low = min(Int(place), from - 1)
      return (low, min(low + 1, from - 1), place - Float(low))
    }
  }
}
