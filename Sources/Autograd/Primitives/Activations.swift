import CLayers
import Tensors

/// What a model puts between its layers.
package enum Activation: String, CaseIterable, Sendable {
  case silu
  /// x · Φ(x), exact.
  case gelu
  /// x · sigmoid(1.702 x), as OpenAI's CLIP has it.
  case quickGELU
  /// x · (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2.
  case tanhGELU

  fileprivate var c: lyco_activation {
    switch self {
    case .silu: LYCO_SILU
    case .gelu: LYCO_GELU
    case .quickGELU: LYCO_QUICK_GELU
    case .tanhGELU: LYCO_TANH_GELU
    }
  }
}

extension Variable {
  /// Only the input is kept; the slope is found again from it.
  package func activated(_ activation: Activation) -> Variable {
    let x = value
    return unsafe .record(
      Tensor(filling: shape) { y in
        unsafe x.reading { unsafe lyco_activate(activation.c, $0, y, x.count) }
      },
      (
        self,
        { dy in
          unsafe Tensor(filling: dy.shape) { dx in
            unsafe x.reading { x in
              unsafe dy.reading {
                unsafe lyco_activate_backward(activation.c, x, $0, dx, dy.count)
              }
            }
          }
        }
      ))
  }

  /// a · gelu(b) for x = [a, b] `[…, 2n]`.
  package func geglu() -> Variable {
    let x = value
    let n = (shape.dimensions.last ?? 0) / 2
    let rows = x.count / max(2 * n, 1)
    return unsafe .record(
      Tensor(filling: Shape(shape.dimensions.dropLast() + [n])) { y in
        unsafe x.reading { unsafe lyco_geglu($0, y, rows, n) }
      },
      (
        self,
        { dy in
          unsafe Tensor(filling: x.shape) { dx in
            unsafe x.reading { x in
              unsafe dy.reading { unsafe lyco_geglu_backward(x, $0, dx, rows, n) }
            }
          }
        }
      ))
  }
}
