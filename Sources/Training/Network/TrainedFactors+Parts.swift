import Adapters
import LinearAlgebra
import Tensors

/// A LoRA of a layer that stands for several, each of some of its rows with factors of its own; in a file they are one:
/// the down factors one below the other, the up factors as blocks on the diagonal.
///
/// Source: sd-scripts `networks/lora_flux.py`, `split_dims`. There alpha stays as it is in the file, so that who divides
/// it by the ranks of all parts gives a third or a fourth of what was trained; here it is that of all ranks.
struct RowParts {
  /// Rows of each.
  let rows: [Int]
  /// Of each.
  let rank: Int

  /// The parameters of one factor, `lora_up.weight.0`, in the order of the parts.
  func suffix(_ factor: String, _ part: Int) -> String { "\(factor).\(part)" }

  /// The factors that those of all parts make.
  /// - Parameter factor: of a part, by its name.
  func joined<V: TensorAlgebra>(
    _ factor: (String) -> V, _ constant: (Tensor) -> V
  ) -> [String: V] {
    let ups = rows.indices.map { part in
      factor(suffix(LoRA.up, part)).matmul(constant(place(of: part)))
    }
    return [
      LoRA.down: V.stacked(rows.indices.map { factor(suffix(LoRA.down, $0)) }),
      LoRA.up: V.stacked(ups),
    ]
  }

  /// `[rank, ranks of all]`: where the ranks of a part are among those of all.
  private func place(of part: Int) -> Tensor {
    let all = rank * rows.count
    var place = Tensor(zeros: [rank, all])
    for i in 0..<rank { place.elements[i * all + part * rank + i] = 1 }
    return place
  }

  /// The factors of the parts by their names; nil where those of a file are of other extents or of no such blocks.
  func divided(_ factors: [String: Tensor]) -> [String: Tensor]? {
    let (count, height) = (rank * rows.count, rows.reduce(0, +))
    guard let down = factors[LoRA.down], let up = factors[LoRA.up], down.shape.rows == count,
      up.shape.rows == height, up.count == height * count
    else { return nil }
    let columns = up.reshaped(up.shape.asMatrix).transposed()
    var (parts, start) = ([String: Tensor](), 0)
    for (part, rows) in rows.enumerated() {
      let ranks = part * rank..<(part + 1) * rank
      let all = columns.rows(ranks).transposed()
      let own = all.rows(start..<start + rows)
      // What lies beside the block would be lost.
      func count(_ tensor: Tensor) -> Int { tensor.elements.count { $0 != 0 } }
      guard count(all) == count(own) else { return nil }
      parts[suffix(LoRA.down, part)] = down.rows(ranks)
      parts[suffix(LoRA.up, part)] = own
      start += rows
    }
    return parts
  }
}
