import CLayers
import Tensors

extension Variable {
  /// An image `[batch, …, channels]`, every group of channels of a sample brought to mean 0 and
  /// variance 1, then scaled and shifted by channel, then put through SiLU if asked.
  ///
  /// Kept are the input, a mean and a deviation per group; what lies between is found again.
  package func groupNormalized(
    groups: Int, weight: Variable, bias: Variable, epsilon: Float, silu: Bool = false
  ) -> Variable {
    let d = shape.dimensions
    let (batch, channels) = (d[0], d[d.count - 1])
    precondition(
      groups > 0 && channels % groups == 0 && weight.shape.count == channels
        && bias.shape.count == channels,
      "group norm of \(shape) in \(groups) groups by \(weight.shape) and \(bias.shape)")
    var extents = lyco_group_norm(
      batch: batch, positions: value.count / max(batch * channels, 1), channels: channels,
      groups: groups, epsilon: epsilon, silu: silu ? 1 : 0)
    let operands = NormOperands(x: value, weight: weight.value, bias: bias.value)
    var statistics = Tensor(zeros: [batch, groups, 2])
    let y = unsafe operands.normalized(&statistics) { x, weight, bias, y, statistics in
      unsafe lyco_group_norm_forward(&extents, x, weight, bias, y, statistics)
    }
    let needed = NormGradients(self, weight, bias)
    return .record(y, from: [self, weight, bias]) { [extents, statistics] dy in
      var extents = extents
      return unsafe operands.gradients(needed, dy, statistics) {
        x, weight, bias, statistics, dy, dx, dweight, dbias in
        unsafe lyco_group_norm_backward(
          &extents, x, dy, weight, bias, statistics, dx, dweight, dbias)
      }
    }
  }

  /// Every row `[…, width]` brought to mean 0 and variance 1, then scaled and shifted.
  package func layerNormalized(weight: Variable, bias: Variable, epsilon: Float) -> Variable {
    let width = shape.dimensions.last ?? 1
    precondition(
      weight.shape.count == width && bias.shape.count == width,
      "layer norm of \(shape) by \(weight.shape) and \(bias.shape)")
    let rows = value.count / max(width, 1)
    let operands = NormOperands(x: value, weight: weight.value, bias: bias.value)
    var statistics = Tensor(zeros: [rows, 2])
    let y = unsafe operands.normalized(&statistics) { x, weight, bias, y, statistics in
      unsafe lyco_layer_norm_forward(rows, width, epsilon, x, weight, bias, y, statistics)
      return 0
    }
    let needed = NormGradients(self, weight, bias)
    return .record(y, from: [self, weight, bias]) { [statistics] dy in
      unsafe operands.gradients(needed, dy, statistics) {
        x, weight, _, statistics, dy, dx, dweight, dbias in
        unsafe lyco_layer_norm_backward(
          rows, width, x, dy, weight, statistics, dx, dweight, dbias)
      }
    }
  }

  /// Every row `[…, width]` brought to mean 0 and variance 1.
  package func layerNormalized(epsilon: Float) -> Variable {
    let width = shape.dimensions.last ?? 1
    let x = value
    let rows = x.count / max(width, 1)
    var statistics = Tensor(zeros: [rows, 2])
    let y = unsafe Tensor(filling: shape) { y in
      unsafe statistics.changing { statistics in
        unsafe x.reading {
          unsafe lyco_layer_norm_forward(rows, width, epsilon, $0, nil, nil, y, statistics)
        }
      }
    }
    return .record(
      y,
      (
        self,
        { [statistics] dy in
          unsafe Tensor(filling: dy.shape) { dx in
            unsafe x.reading { x in
              unsafe statistics.reading { statistics in
                unsafe dy.reading {
                  check(
                    unsafe lyco_layer_norm_backward(
                      rows, width, x, $0, nil, statistics, dx, nil, nil), "gradient of a norm")
                }
              }
            }
          }
        }
      ))
  }
}

/// Which operands of a norm need a gradient.
private struct NormGradients {
  let x, weight, bias: Bool

  init(_ x: Variable, _ weight: Variable, _ bias: Variable) {
    (self.x, self.weight, self.bias) = (x.needsGradient, weight.needsGradient, bias.needsGradient)
  }
}

/// What norms of groups and of rows have in common.
private struct NormOperands {
  typealias Source = UnsafePointer<Float>
  typealias Target = UnsafeMutablePointer<Float>

  let x, weight, bias: Tensor

  func normalized(
    _ statistics: inout Tensor, _ body: (Source, Source, Source, Target, Target) -> Int32
  ) -> Tensor {
    unsafe Tensor(filling: x.shape) { y in
      unsafe statistics.changing { statistics in
        unsafe x.reading { x in
          unsafe weight.reading { weight in
            unsafe bias.reading { bias in
              check(unsafe body(x, weight, bias, y, statistics), "norm")
            }
          }
        }
      }
    }
  }

  func gradients(
    _ needed: NormGradients, _ dy: Tensor, _ statistics: Tensor,
    _ body: (Source, Source, Source, Source, Source, Target?, Target?, Target?) -> Int32
  ) -> [Tensor?] {
    func filling(_ like: Tensor, _ isNeeded: Bool, _ fill: (Target?) -> Void) -> Tensor? {
      guard isNeeded else {
        fill(nil)
        return nil
      }
      return unsafe Tensor(filling: like.shape) { unsafe fill($0) }
    }
    var (dweight, dbias): (Tensor?, Tensor?)
    let dx = unsafe filling(x, needed.x) { dx in
      dweight = unsafe filling(weight, needed.weight) { dweight in
        dbias = unsafe filling(bias, needed.bias) { dbias in
          unsafe x.reading { x in
            unsafe weight.reading { weight in
              unsafe bias.reading { bias in
                unsafe statistics.reading { statistics in
                  unsafe dy.reading { dy in
                    check(
                      unsafe body(x, weight, bias, statistics, dy, dx, dweight, dbias),
                      "gradient of a norm")
                  }
                }
              }
            }
          }
        }
      }
    }
    return [dx, dweight, dbias]
  }
}
