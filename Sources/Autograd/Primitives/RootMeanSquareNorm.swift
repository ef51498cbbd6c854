import CLayers
import Tensors

extension Variable {
  /// Every run of `weight.count` numbers along the last axis divided by √(mean of its squares + epsilon), then
  /// scaled: x `[…, heads · n]` by heads with a weight `[n]`, or whole rows with one of the whole width.
  ///
  /// Kept are the input and one number per run.
  package func rootMeanSquareNormalized(weight: Variable, epsilon: Float) -> Variable {
    let width = weight.shape.count
    precondition(
      width > 0 && (shape.dimensions.last ?? 1) % width == 0,
      "root mean square norm of \(shape) by \(weight.shape)")
    let operands = RootMeanSquareNorm(x: value, weight: weight.value)
    let (y, roots) = operands.normalized(epsilon: epsilon)
    let (needsInput, needsWeight) = (needsGradient, weight.needsGradient)
    return .record(y, from: [self, weight]) { dy in
      operands.gradients(dy, roots, input: needsInput, weight: needsWeight)
    }
  }
}

private struct RootMeanSquareNorm {
  let x, weight: Tensor

  private var rows: Int { x.count / weight.count }

  /// The result, and the inverse roots of the mean squares.
  func normalized(epsilon: Float) -> (y: Tensor, roots: Tensor) {
    var roots = Tensor(zeros: [rows])
    let y = unsafe Tensor(filling: x.shape) { y in
      unsafe roots.changing { roots in
        unsafe x.reading { x in
          unsafe weight.reading {
            unsafe lyco_rms_norm_forward(rows, weight.count, epsilon, x, $0, y, roots)
          }
        }
      }
    }
    return (y, roots)
  }

  func gradients(
    _ dy: Tensor, _ roots: Tensor, input needsInput: Bool, weight needsWeight: Bool
  ) -> [Tensor?] {
    func run(_ dx: UnsafeMutablePointer<Float>?, _ dweight: UnsafeMutablePointer<Float>?) {
      unsafe x.reading { x in
        unsafe weight.reading { weight in
          unsafe roots.reading { roots in
            unsafe dy.reading { dy in
              check(
                unsafe lyco_rms_norm_backward(
                  rows, self.weight.count, x, dy, weight, roots, dx, dweight),
                "gradient of a norm")
            }
          }
        }
      }
    }
    var dx: Tensor?
    guard needsWeight else {
      return [needsInput ? unsafe Tensor(filling: x.shape) { unsafe run($0, nil) } : nil, nil]
    }
    let dweight = unsafe Tensor(filling: weight.shape) { target in
      guard needsInput else {
        unsafe run(nil, target)
        return
      }
      dx = unsafe Tensor(filling: x.shape) { unsafe run($0, target) }
    }
    return [dx, dweight]
  }
}
