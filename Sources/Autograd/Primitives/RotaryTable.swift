package import Tensors

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// By which angles the pairs of every head are turned at each token of a grid, so that products of queries and keys
/// know how far their places are apart.
///
/// Source: Su et al., RoFormer, arXiv 2104.09864; with several axes, as Wan's and HunyuanVideo's transformers have it,
/// each turns pairs of its own.
package struct RotaryTable: Sendable {
  /// `[tokens, pairs]`
  package let cosines: Tensor
  /// `[tokens, pairs]`
  package let sines: Tensor

  /// Tokens that are turned.
  package var tokens: Int { cosines.shape.rows }
  /// Pairs of numbers in a head, half of its width.
  package var pairs: Int { cosines.shape.columns }

  /// A grid whose tokens go row by row, the last extent fastest; places on an axis are 0, 1, ….
  /// - Parameters:
  ///   - extents: of the grid, as frames, rows, columns.
  ///   - axes: as for any places.
  package init(extents: [Int], axes: [Int], theta: Double) {
    precondition(
      extents.count == axes.count && extents.allSatisfy { $0 >= 0 },
      "a grid of \(extents) turning \(axes) numbers of a head")
    self.init(
      places: Self.places(ofGrid: extents.map { 0..<$0 }), axes: axes, theta: theta)
  }

  /// Places of the tokens of a grid on each axis, the last axis fastest.
  /// - Parameter ranges: of places, one for each axis.
  package static func places(ofGrid ranges: [Range<Int>]) -> [[Int]] {
    let tokens = ranges.reduce(1) { $0 * $1.count }
    var stride = tokens
    return ranges.map { range in
      // Tokens from one place of this axis to the next.
      stride /= max(range.count, 1)
      return (0..<tokens).map { range.lowerBound + $0 / stride % range.count }
    }
  }

  /// Tokens at any places.
  ///
  /// Pair i of an axis is turned by place · theta^(−2i / width of the axis). Angles are formed in double precision,
  /// what is stored is f32.
  /// - Parameters:
  ///   - places: of every token on each axis, which may be below zero: `places[axis][token]`.
  ///   - axes: numbers of a head that each of them turns, even; together they are the width of a head.
  package init(places: [[Int]], axes: [Int], theta: Double) {
    let tokens = places.first?.count ?? 0
    precondition(
      places.count == axes.count && places.allSatisfy { $0.count == tokens }
        && axes.allSatisfy { $0 >= 0 && $0 % 2 == 0 },
      "places of \(places.map(\.count)) tokens turning \(axes) numbers of a head")
    let pairs = axes.reduce(0, +) / 2
    var (cosines, sines) = (Tensor(zeros: [tokens, pairs]), Tensor(zeros: [tokens, pairs]))
    var offset = 0
    for (places, axis) in zip(places, axes) {
      let (least, most) = (places.min() ?? 0, places.max() ?? 0)
      for pair in 0..<axis / 2 {
        let frequency = pow(theta, -2 * Double(pair) / Double(axis))
        let turns = (least...most).map { place in
          (Float(cos(Double(place) * frequency)), Float(sin(Double(place) * frequency)))
        }
        for (token, place) in places.enumerated() {
          let turn = turns[place - least]
          cosines.elements[token * pairs + offset + pair] = turn.0
          sines.elements[token * pairs + offset + pair] = turn.1
        }
      }
      offset += axis / 2
    }
    (self.cosines, self.sines) = (cosines, sines)
  }
}
