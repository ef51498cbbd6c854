import CLayers
import Tensors

/// Rows of a sample, scaled, shifted and weighed by one row of its own: what a condition does in a transformer.
extension Variable {
  /// x ⊙ (1 + scale) + shift: x `[batch, …, width]`, scale and shift `[batch, width]`.
  ///
  /// The input is kept only where the scale needs a gradient.
  package func modulated(scale: Variable, shift: Variable) -> Variable {
    let rows = SampleRows(of: self, by: scale, "scaling")
    precondition(
      shift.shape == scale.shape, "shifting \(shape) by \(shift.shape), scaling by \(scale.shape)")
    let factors = scale.value
    let x = scale.needsGradient ? value : nil
    return .record(
      rows.modulated(value, factors, shift.value),
      (self, { rows.modulated($0, factors, nil) }),
      (
        scale,
        { dy in
          guard let x else { preconditionFailure("an input was kept") }
          return rows.sumOfProducts(dy, x)
        }
      ),
      (shift, { rows.sum($0) }))
  }

  /// x + gate ⊙ y: x and y `[batch, …, width]`, the gate `[batch, width]`.
  ///
  /// y is kept only where the gate needs a gradient.
  package func addingGated(_ y: Variable, by gate: Variable) -> Variable {
    let rows = SampleRows(of: self, by: gate, "weighing")
    precondition(y.shape == shape, "adding \(y.shape) to \(shape)")
    let factors = gate.value
    let added = gate.needsGradient ? y.value : nil
    return .record(
      rows.weighed(y.value, factors, addedTo: value),
      (self, { $0 }),
      (y, { rows.weighed($0, factors, addedTo: nil) }),
      (
        gate,
        { dy in
          guard let added else { preconditionFailure("an input was kept") }
          return rows.sumOfProducts(dy, added)
        }
      ))
  }
}

/// `[batch, rows, width]` beside rows `[batch, width]`.
private struct SampleRows {
  let batch, rows, width: Int
  /// Of the rows for each sample.
  let shape: Shape

  init(of x: Variable, by row: Variable, _ what: String) {
    shape = row.shape
    (batch, width) = (x.shape.dimensions.first ?? 1, x.shape.dimensions.last ?? 1)
    rows = x.shape.count / max(batch * width, 1)
    precondition(
      x.shape.dimensions.count > 1 && row.shape == [batch, width],
      "\(what) \(x.shape) by \(row.shape)")
  }

  func modulated(_ x: Tensor, _ scale: Tensor, _ shift: Tensor?) -> Tensor {
    unsafe Tensor(filling: x.shape) { y in
      unsafe x.reading { x in
        unsafe scale.reading { scale in
          unsafe withOptional(shift) {
            unsafe lyco_modulate(batch, rows, width, x, scale, $0, y)
          }
        }
      }
    }
  }

  func weighed(_ y: Tensor, _ gate: Tensor, addedTo x: Tensor?) -> Tensor {
    unsafe Tensor(filling: y.shape) { sum in
      unsafe y.reading { y in
        unsafe gate.reading { gate in
          unsafe withOptional(x) {
            unsafe lyco_add_gated(batch, rows, width, $0, y, gate, sum)
          }
        }
      }
    }
  }

  func sumOfProducts(_ x: Tensor, _ y: Tensor) -> Tensor {
    unsafe Tensor(filling: shape) { sums in
      unsafe x.reading { x in
        unsafe y.reading { unsafe lyco_sum_products(batch, rows, width, x, $0, sums) }
      }
    }
  }

  func sum(_ x: Tensor) -> Tensor {
    unsafe Tensor(filling: shape) { sums in
      unsafe x.reading { x in
        for sample in 0..<batch {
          unsafe lyco_sum_rows(
            x + sample * rows * width, sums + sample * width, rows, width)
        }
      }
    }
  }
}
