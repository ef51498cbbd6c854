import CLayers
import Tensors

/// Parts of the tokens and of the channels of `[batch, tokens, width]`. The gradient of what is left out is zero;
/// those of parts are added to that of the whole where they belong.
extension Variable {
  /// Tokens `[batch, range.count, width]` of `[batch, tokens, width]`.
  package func tokens(_ range: Range<Int>) -> Variable {
    let whole = TokenBlock(of: self)
    precondition(
      range.lowerBound >= 0 && range.upperBound <= whole.count, "tokens \(range) of \(shape)")
    guard range.count < whole.count else { return self }
    let part = TokenBlock(batch: whole.batch, count: range.count, width: whole.width)
    let x = value
    let taken = unsafe Tensor(filling: part.shape) { target in
      unsafe x.reading {
        unsafe part.copy(from: $0, whole, at: range.lowerBound, to: target, part, at: 0)
      }
    }
    return unsafe recordPart(taken) { dx, dy in
      for sample in 0..<whole.batch {
        unsafe lyco_add_rows(
          dy + sample * part.count * part.width, part.width,
          dx + (sample * whole.count + range.lowerBound) * whole.width, whole.width, part.count,
          part.width)
      }
    }
  }

  /// The tokens of each sample, then those of another `[batch, tokens', width]`.
  package func appendingTokens(_ other: Variable) -> Variable {
    let (first, second) = (TokenBlock(of: self), TokenBlock(of: other))
    precondition(
      first.batch == second.batch && first.width == second.width,
      "tokens \(other.shape) behind those of \(shape)")
    let whole = TokenBlock(
      batch: first.batch, count: first.count + second.count, width: first.width)
    let (x, y) = (value, other.value)
    let joined = unsafe Tensor(filling: whole.shape) { target in
      unsafe x.reading {
        unsafe first.copy(from: $0, first, at: 0, to: target, whole, at: 0)
      }
      unsafe y.reading {
        unsafe second.copy(from: $0, second, at: 0, to: target, whole, at: first.count)
      }
    }
    func part(_ block: TokenBlock, at start: Int) -> (Tensor) -> Tensor {
      { gradient in
        unsafe Tensor(filling: block.shape) { target in
          unsafe gradient.reading {
            unsafe block.copy(from: $0, whole, at: start, to: target, block, at: 0)
          }
        }
      }
    }
    return .record(joined, (self, part(first, at: 0)), (other, part(second, at: first.count)))
  }

  /// Channels `[…, range.count]` of `[…, channels]`.
  package func channels(_ range: Range<Int>) -> Variable {
    let before = shape
    let (all, count) = (before.dimensions.last ?? 1, range.count)
    precondition(
      range.lowerBound >= 0 && range.upperBound <= all, "channels \(range) of \(before)")
    guard count < all else { return self }
    let rows = before.count / max(all, 1)
    let x = value
    let taken = unsafe Tensor(filling: Shape(before.dimensions.dropLast() + [count])) { target in
      unsafe x.reading {
        unsafe lyco_copy_rows($0 + range.lowerBound, all, target, count, rows, count)
      }
    }
    return unsafe recordPart(taken) { dx, dy in
      unsafe lyco_add_rows(dy, count, dx + range.lowerBound, all, rows, count)
    }
  }

  /// A part of this value.
  /// - Parameter add: adds the gradient of the part to that of the whole.
  private func recordPart(
    _ part: Tensor, _ add: @escaping (UnsafeMutablePointer<Float>, UnsafePointer<Float>) -> Void
  ) -> Variable {
    let (node, before) = (node, shape)
    return .record(part, from: [self]) { dy in
      node?.accumulate(partOf: before) { dx in
        unsafe dx.changing { dx in unsafe dy.reading { unsafe add(dx, $0) } }
      }
      return [nil]
    }
  }
}

/// Extents of `[batch, tokens, width]`.
private struct TokenBlock {
  let batch, count, width: Int

  init(batch: Int, count: Int, width: Int) {
    (self.batch, self.count, self.width) = (batch, count, width)
  }

  init(of x: Variable) {
    let d = x.shape.dimensions
    precondition(d.count == 3, "tokens of \(x.shape), which is no [batch, tokens, width]")
    self.init(batch: d[0], count: d[1], width: d[2])
  }

  var shape: Shape { [batch, count, width] }

  /// Copies all tokens of this block between places of two larger ones, or of itself.
  func copy(
    from source: UnsafePointer<Float>, _ from: TokenBlock, at start: Int,
    to target: UnsafeMutablePointer<Float>, _ to: TokenBlock, at end: Int
  ) {
    for sample in 0..<batch {
      unsafe lyco_copy_rows(
        source + (sample * from.count + start) * width, width,
        target + (sample * to.count + end) * width, width, count, width)
    }
  }
}
