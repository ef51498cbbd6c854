import CLayers
import COneDNN
package import Tensors

extension Variable {
  /// softmax(q·kᵀ / √d) · v for every head: q `[batch, n, heads · d]`, k and v `[batch, m, heads · d]`.
  ///
  /// Scores are computed block by block and again for the backward pass: only the result and one number per
  /// row and head are kept.
  /// - Parameters:
  ///   - isCausal: whether row i sees rows 0 to i only.
  ///   - keyCounts: of each sample, how many of its first keys are seen, at least 1; nil for all. The others
  ///     cost nothing, and their gradients are zero.
  ///   - scale: of scores, in place of 1 / √d.
  ///   - distanceBias: `[heads, n + m − 1]`, what is added to scaled scores by the distance from row to key, that of
  ///     the last row to the first key first; nil for nothing. With one no gradient goes back.
  ///   - compute: the format of the factors of both products; exponentials and sums are f32.
  package static func attention(
    _ q: Variable, _ k: Variable, _ v: Variable, heads: Int, isCausal: Bool = false,
    keyCounts: [Int]? = nil, scale: Float? = nil, distanceBias: Tensor? = nil,
    compute: ComputeType = .f32
  ) -> Variable {
    let (rows, columns) = (q.shape.dimensions, k.shape.dimensions)
    precondition(
      rows.count == 3 && columns.count == 3 && k.shape == v.shape && rows[0] == columns[0]
        && rows[2] == columns[2] && heads > 0 && rows[2] % heads == 0
        && (!isCausal || rows[1] <= columns[1]),
      "attention of \(q.shape) to \(k.shape) and \(v.shape) with \(heads) heads")
    if let keyCounts {
      precondition(
        keyCounts.count == rows[0] && keyCounts.allSatisfy { (1...columns[1]).contains($0) },
        "attention to \(keyCounts) keys of \(k.shape)")
    }
    if let distanceBias {
      precondition(
        distanceBias.shape == [heads, rows[1] + columns[1] - 1]
          && ![q, k, v].contains(where: \.needsGradient),
        "attention of \(q.shape) to \(k.shape) with a bias \(distanceBias.shape), without gradients"
      )
    }
    let width = rows[2] / heads
    let extents = lyco_attention(
      batch: rows[0], heads: heads, queries: rows[1], keys: columns[1], width: width,
      scale: scale ?? 1 / Float(width).squareRoot(), causal: isCausal ? 1 : 0,
      compute: compute.oneDNN)
    let operands = AttentionOperands(
      extents: extents, keyCounts: keyCounts, bias: distanceBias, q: q.value, k: k.value,
      v: v.value)
    let (output, logs) = operands.forward()
    let needsKeys = k.needsGradient || v.needsGradient
    return .record(output, from: [q, k, v]) {
      operands.backward($0, output, logs, needsKeys: needsKeys)
    }
  }
}

private struct AttentionOperands {
  let extents: lyco_attention
  let keyCounts: [Int]?
  let bias: Tensor?
  let q, k, v: Tensor

  /// The output, and logarithms of the sums of exponentials.
  func forward() -> (output: Tensor, logs: Tensor) {
    var extents = extents
    var logs = Tensor(zeros: [extents.batch, extents.heads, extents.queries])
    let output = unsafe Tensor(filling: q.shape) { y in
      unsafe logs.changing { logs in
        unsafe withElements { counts, q, k, v in
          unsafe withOptional(bias) { bias in
            check(
              unsafe lyco_attention_forward(&extents, counts, bias, q, k, v, y, logs), "attention")
          }
        }
      }
    }
    return (output, logs)
  }

  func backward(
    _ dy: Tensor, _ y: Tensor, _ logs: Tensor, needsKeys: Bool
  ) -> [Tensor?] {
    var extents = extents
    var (dk, dv): (Tensor?, Tensor?)
    let dq = unsafe Tensor(filling: q.shape) { dq in
      func run(_ dk: UnsafeMutablePointer<Float>?, _ dv: UnsafeMutablePointer<Float>?) {
        unsafe withElements { counts, q, k, v in
          unsafe y.reading { y in
            unsafe logs.reading { logs in
              unsafe dy.reading { dy in
                check(
                  unsafe lyco_attention_backward(
                    &extents, counts, q, k, v, y, logs, dy, dq, dk, dv),
                  "gradient of attention")
              }
            }
          }
        }
      }
      guard needsKeys else {
        run(nil, nil)
        return
      }
      dk = unsafe Tensor(filling: k.shape) { keys in
        dv = unsafe Tensor(filling: v.shape) { unsafe run(keys, $0) }
      }
    }
    return [dq, dk, dv]
  }

  private func withElements(
    _ body: (
      UnsafePointer<Int>?, UnsafePointer<Float>, UnsafePointer<Float>, UnsafePointer<Float>
    ) -> Void
  ) {
    unsafe q.reading { q in
      unsafe k.reading { k in
        unsafe v.reading { v in
          guard let keyCounts else {
            unsafe body(nil, q, k, v)
            return
          }
          unsafe keyCounts.withUnsafeBufferPointer { unsafe body($0.baseAddress, q, k, v) }
        }
      }
    }
  }
}
