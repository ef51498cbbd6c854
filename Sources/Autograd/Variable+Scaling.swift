import LinearAlgebra
package import Tensors

/// Norms of a tensor and of its rows, and what is scaled by them.
extension Variable {
  /// x, or x·c/n for n = ‖x‖ > c: then dx = (G − x·⟨G, x⟩/n²)·c/n.
  package func limited(toNorm limit: Float) -> Variable {
    let x = value
    let squares = x.sumOfSquares
    let norm = squares.squareRoot()
    guard norm > Double(limit) else { return self }
    let factor = Float(Double(limit) / norm)
    return .record(
      x * factor,
      (
        self,
        { gradient in
          let dot = gradient.rowProducts(with: x).reduce(0, +)
          return gradient.adding(x, times: Float(-dot / squares)) * factor
        }
      ))
  }

  /// nᵢ = ‖xᵢ‖: dxᵢ = Gᵢ·xᵢ/nᵢ, and zero for a row of zeros.
  package func rowNorms() -> Variable {
    let x = value
    let norms = x.rowNorms()
    return .record(
      norms,
      (
        self,
        { gradient in
          x.scaledRows(
            by: Tensor(
              norms.shape, zip(gradient.elements, norms.elements).map { $1 > 0 ? $0 / $1 : 0 }))
        }
      ))
  }

  /// y = 1/(x + o): dx = −G·y².
  package func reciprocal(offset: Float) -> Variable {
    let y = value.reciprocal(offset: offset)
    return .record(y, (self, { $0 * y * y * -1 }))
  }

  /// Row i times fᵢ: dxᵢ = Gᵢ·fᵢ, dfᵢ = ⟨Gᵢ, xᵢ⟩.
  package consuming func scaledRows(by factors: Variable) -> Variable {
    let rows = self
    let (x, f) = (rows.value, factors.value)
    return .record(
      x.scaledRows(by: f), (rows, { $0.scaledRows(by: f) }),
      (factors, { Tensor(f.shape, $0.rowProducts(with: x).map { Float($0) }) }))
  }

  /// Every row `[…, n]` times a row of n numbers, element by element: dx = G ⊙ f, df = Σ G ⊙ x.
  package consuming func scaledColumns(by factors: Variable) -> Variable {
    let rows = self
    let (x, f) = (rows.value, factors.value)
    return .record(
      x.scaledColumns(by: f), (rows, { $0.scaledColumns(by: f) }),
      (factors, { ($0 * x).asRows.sumOfRows().reshaped(f.shape) }))
  }

  /// Every sample `[rows, n]` of `[batch, …, n]` times the numbers `[batch, n]` of its own, which are
  /// constants.
  package func scaledColumnsBySample(_ factors: Tensor) -> Variable {
    .record(
      value.scaledColumnsBySample(factors), (self, { $0.scaledColumnsBySample(factors) }))
  }

  /// Element by element times a constant of equal shape.
  package func masked(by mask: Tensor) -> Variable {
    .record(value * mask, (self, { $0 * mask }))
  }
}

extension Tensor {
  fileprivate func scaledColumns(by factors: Tensor) -> Tensor {
    let width = factors.count
    precondition(
      width == shape.dimensions.last, "scaling the columns of \(shape) by \(factors.shape)")
    return scaledColumns(by: factors) { _ in 0 }
  }

  fileprivate func scaledColumnsBySample(_ factors: Tensor) -> Tensor {
    precondition(
      factors.shape.rows == shape.rows && factors.shape.columns == shape.dimensions.last,
      "scaling the columns of \(shape) by \(factors.shape)")
    let rowsPerSample = count / max(factors.count, 1)
    return scaledColumns(by: factors) { $0 / max(rowsPerSample, 1) }
  }

  /// Every row times that row of the factors which `place` says.
  private func scaledColumns(by factors: Tensor, _ place: (Int) -> Int) -> Tensor {
    var product = self
    let width = shape.dimensions.last ?? 1
    let source = factors.elements.span
    var target = product.elements.mutableSpan
    for (row, start) in stride(from: 0, to: target.count, by: width).enumerated() {
      let offset = place(row) * width
      for i in 0..<width { target[start + i] *= source[offset + i] }
    }
    return product
  }
}
