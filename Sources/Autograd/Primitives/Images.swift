import CLayers
package import Tensors

extension Variable {
  /// An image `[batch, height, width, channels]` with every pixel doubled in both directions.
  package func upsampled() -> Variable {
    let d = shape.dimensions
    let (batch, height, width, channels) = (d[0], d[1], d[2], d[3])
    let (x, before) = (value, shape)
    return unsafe .record(
      Tensor(filling: [batch, 2 * height, 2 * width, channels]) { y in
        unsafe x.reading { unsafe lyco_upsample($0, y, batch, height, width, channels) }
      },
      (
        self,
        { dy in
          unsafe Tensor(filling: before) { dx in
            unsafe dy.reading {
              unsafe lyco_upsample_backward($0, dx, batch, height, width, channels)
            }
          }
        }
      ))
  }

  /// Two images one behind the other along the channels, `[…, a]` and `[…, b]` to `[…, a + b]`.
  package func appendingChannels(_ other: Variable) -> Variable {
    let (a, b) = (shape.dimensions.last ?? 1, other.shape.dimensions.last ?? 1)
    let (x, y) = (value, other.value)
    let rows = x.count / max(a, 1)
    precondition(
      shape.dimensions.dropLast() == other.shape.dimensions.dropLast(),
      "channels of \(other.shape) behind those of \(shape)")
    let joined = unsafe Tensor(filling: Shape(shape.dimensions.dropLast() + [a + b])) { target in
      unsafe x.reading { unsafe lyco_copy_rows($0, a, target, a + b, rows, a) }
      unsafe y.reading { unsafe lyco_copy_rows($0, b, target + a, a + b, rows, b) }
    }
    func part(_ start: Int, _ width: Int, _ shape: Shape) -> (Tensor) -> Tensor {
      { gradient in
        unsafe Tensor(filling: shape) { target in
          unsafe gradient.reading {
            unsafe lyco_copy_rows($0 + start, a + b, target, width, rows, width)
          }
        }
      }
    }
    return .record(joined, (self, part(0, a, shape)), (other, part(a, b, other.shape)))
  }

  /// An image `[batch, height, width, channels]` plus a vector `[batch, channels]` at every pixel.
  package func addingToChannels(_ vectors: Variable) -> Variable {
    let d = shape.dimensions
    let (batch, channels) = (d[0], d[d.count - 1])
    let positions = value.count / max(batch * channels, 1)
    let (x, v) = (value, vectors.value)
    precondition(v.count == batch * channels, "adding \(v.shape) to the channels of \(shape)")
    let sum = unsafe Tensor(filling: shape) { target in
      unsafe x.reading { x in
        unsafe v.reading { v in
          for b in 0..<batch {
            let start = b * positions * channels
            unsafe lyco_add_row(
              x + start, v + b * channels, target + start, positions, channels)
          }
        }
      }
    }
    return .record(
      sum, (self, { $0 }),
      (
        vectors,
        { dy in
          unsafe Tensor(filling: v.shape) { dv in
            unsafe dy.reading { dy in
              for b in 0..<batch {
                unsafe lyco_sum_rows(
                  dy + b * positions * channels, dv + b * channels, positions, channels)
              }
            }
          }
        }
      ))
  }

  /// Rows of a table `[entries, width]` by number, `[count, width]`; the table gets no gradient.
  package static func rows(_ numbers: [Int], of table: Tensor) -> Variable {
    let width = table.shape.columns
    return Variable(
      Tensor(
        [numbers.count, width],
        numbers.flatMap { table.elements[$0 * width..<($0 + 1) * width] }))
  }
}
