extension Tensor {
  /// The same elements at their places in a larger shape of as many axes, and zeros elsewhere.
  /// - Precondition: no extent is smaller.
  package consuming func extended(to larger: Shape) -> Tensor {
    let (old, new) = (shape.dimensions, larger.dimensions)
    precondition(
      old.count == new.count && zip(old, new).allSatisfy { $0 <= $1 },
      "extending \(shape) to \(larger)")
    if shape == larger { return self }
    var result = Tensor(zeros: larger)
    guard count > 0, let width = old.last, let stride = new.last else { return result }
    for run in 0..<count / width {
      var (rest, start, step) = (run, 0, stride)
      for axis in old.indices.dropLast().reversed() {
        start += rest % old[axis] * step
        rest /= old[axis]
        step *= new[axis]
      }
      result.elements.replaceSubrange(
        start..<start + width, with: elements[run * width..<(run + 1) * width])
    }
    return result
  }
}
