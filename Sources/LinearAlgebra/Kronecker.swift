package import Tensors

extension Tensor {
  /// The Kronecker product: extents multiply axis by axis, and
  /// `result[i·p + j, …] = self[i, …] · other[j, …]` with p the extent of `other` on that axis.
  ///
  /// The operand of lower rank gets trailing axes of extent 1, as LoKr needs it: `[a, b]` with
  /// `[c, d, k, k]` gives `[a·c, b·d, k, k]`.
  /// - Complexity: O(`count` · `other.count`)
  package func kronecker(_ other: Tensor) -> Tensor {
    let axes = max(shape.dimensions.count, other.shape.dimensions.count)
    let outer = shape.padded(to: axes)
    let inner = other.shape.padded(to: axes)
    let extents = zip(outer, inner).map { $0 * $1 }
    let result = Shape(extents)
    guard axes > 0, result.count > 0 else {
      return axes == 0 ? Tensor([], [elements[0] * other.elements[0]]) : Tensor(zeros: result)
    }
    let outerStrides = strides(of: outer)
    let innerStrides = strides(of: inner)
    let lines = result.count / extents[axes - 1]
    let (outerWidth, innerWidth) = (outer[axes - 1], inner[axes - 1])
    return unsafe Tensor(uninitialized: result) { target in
      var index = [Int](repeating: 0, count: axes)  // of the line, over all axes but the last
      let x = elements.span
      let y = other.elements.span
      var position = 0
      for _ in 0..<lines {
        var (xStart, yStart) = (0, 0)
        for axis in 0..<axes - 1 {
          let (i, j) = index[axis].quotientAndRemainder(dividingBy: inner[axis])
          xStart += i * outerStrides[axis]
          yStart += j * innerStrides[axis]
        }
        for i in 0..<outerWidth {
          let factor = x[xStart + i]
          for j in 0..<innerWidth {
            unsafe target[position] = factor * y[yStart + j]
            position += 1
          }
        }
        for axis in (0..<axes - 1).reversed() {
          index[axis] += 1
          if index[axis] < extents[axis] { break }
          index[axis] = 0
        }
      }
    }
  }
}

extension Shape {
  fileprivate func padded(to axes: Int) -> [Int] {
    dimensions + [Int](repeating: 1, count: axes - dimensions.count)
  }
}

private func strides(of extents: [Int]) -> [Int] {
  var strides = [Int](repeating: 1, count: extents.count)
  for axis in (0..<extents.count - 1).reversed() {
    strides[axis] = strides[axis + 1] * extents[axis + 1]
  }
  return strides
}
