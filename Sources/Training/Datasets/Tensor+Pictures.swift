import Tensors

extension Tensor {
  /// Means over squares of `stride` pixels: `[height, width]` to `[height / stride, width / stride]`.
  /// - Precondition: both extents are multiples of `stride`
  func averaged(over stride: Int) -> Tensor {
    let (height, width) = (shape.dimensions[0], shape.dimensions[1])
    precondition(
      height % stride == 0 && width % stride == 0, "means over \(stride) pixels of \(shape)")
    let (rows, columns) = (height / stride, width / stride)
    var means = Tensor(zeros: [rows, columns])
    let from = elements.span
    var to = means.elements.mutableSpan
    for y in 0..<height {
      for x in 0..<width { to[y / stride * columns + x / stride] += from[y * width + x] }
    }
    let share = 1 / Float(stride * stride)
    for i in 0..<to.count { to[i] *= share }
    return means
  }

  /// `[height, width, channels]` as `[channels, height, width]`.
  func channelsFirst() -> Tensor {
    let (pixels, channels) = (shape.dimensions[0] * shape.dimensions[1], shape.dimensions[2])
    return transposed(pixels, channels, [channels] + shape.dimensions.dropLast())
  }

  /// `[channels, …]` as `[…, channels]`.
  func channelsLast() -> Tensor {
    let (pixels, channels) = (shape.columns, shape.rows)
    return transposed(channels, pixels, Array(shape.dimensions.dropFirst()) + [channels])
  }

  private func transposed(_ rows: Int, _ columns: Int, _ shape: [Int]) -> Tensor {
    var result = Tensor(zeros: Shape(shape))
    let from = elements.span
    var to = result.elements.mutableSpan
    for row in 0..<rows {
      for column in 0..<columns { to[column * rows + row] = from[row * columns + column] }
    }
    return result
  }

  /// Tensors of one shape behind each other, under a new first axis.
  /// - Precondition: there is at least one.
  init(stacking tensors: [Tensor]) {
    let shape = tensors.first?.shape ?? []
    precondition(
      !tensors.isEmpty && tensors.allSatisfy { $0.shape == shape },
      "stacked tensors of shapes \(tensors.map(\.shape))")
    var elements: [Float] = []
    elements.reserveCapacity(tensors.count * shape.count)
    for tensor in tensors { elements += tensor.elements }
    self.init(Shape([tensors.count] + shape.dimensions), elements)
  }

  /// `[height, width, channels]`, left and right exchanged.
  func mirrored() -> Tensor {
    let (height, width, channels) = (
      shape.dimensions[0], shape.dimensions[1], shape.dimensions[2]
    )
    var result = self
    let from = elements.span
    var to = result.elements.mutableSpan
    for y in 0..<height {
      for x in 0..<width {
        for c in 0..<channels {
          to[(y * width + width - 1 - x) * channels + c] = from[(y * width + x) * channels + c]
        }
      }
    }
    return result
  }
}
