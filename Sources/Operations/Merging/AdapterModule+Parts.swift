import Adapters
import Checkpoints
import LinearAlgebra
import Safetensors
import Tensors

extension AdapterModule {
  /// Largest difference of two changes, relative to the change, for which they are the same one: what
  /// rounding factors to F16 may differ by.
  private static let tolerance = 1e-3

  /// The module of some rows of a weight, so that no more than those is decoded of a factor that holds rows; nil where a
  /// row of a factor does not stand for one of the weight.
  func part(ofRows rows: Range<Int>, for weight: Shape) -> AdapterModule? {
    let apart = WeightDecomposition<Tensor>.suffixes + [reshapeSuffix]
    guard apart.allSatisfy({ views[$0.name] == nil }),
      let suffixes = algorithm.storedRows(of: shapes), !suffixes.isEmpty,
      suffixes.allSatisfy({ $1 == 1 && shapes[$0]?.rows == weight.rows })
    else { return nil }
    return replacing(
      views.filter { !biasSuffixes.contains($0.key) }.reduce(into: [:]) { part, view in
        part[view.key] = suffixes[view.key] == nil ? view.value : view.value.rows(rows)
      })
  }

  /// Whether another module changes some rows of a weight as this one does.
  /// - Parameters:
  ///   - whole: the weight that this module changes.
  ///   - part: the weight that the other one changes.
  /// - Returns: false too where a change cannot be told without the weight.
  /// - Throws: `CheckpointError` for factors that are not finite.
  func changesRows(
    of whole: MergeTarget, as other: AdapterModule, changes part: MergeTarget
  ) throws(CheckpointError) -> Bool {
    guard let rows = whole.rows(of: part) else { return false }
    return try hasSameChange(as: other, in: rows, of: whole.shape, part.shape)
  }

  /// Whether two modules of one layer do the same, whatever their factors.
  /// - Throws: `CheckpointError` for factors that are not finite.
  func changesSame(as other: AdapterModule) throws(CheckpointError) -> Bool {
    if hasSameContents(as: other) { return true }
    guard let shape = algorithm.weightShape(of: shapes),
      other.algorithm.weightShape(of: other.shapes) == shape
    else { return false }
    return try hasSameChange(as: other, in: 0..<shape.rows, of: shape, shape)
  }

  /// Whether the change of a weight of some shape has in a range of rows what that of another module is.
  /// - Throws: `CheckpointError` for factors that are not finite.
  func hasSameChange(
    as other: AdapterModule, in rows: Range<Int>, of shape: Shape, _ otherShape: Shape
  ) throws(CheckpointError) -> Bool {
    guard isAdditive, other.isAdditive, biasView == nil, other.biasView == nil,
      var change = try change(for: shape, rows: rows),
      let part = try other.change(for: otherShape, rows: 0..<otherShape.rows)
    else { return false }
    let energy = change.sumOfSquares
    change.subtract(part)
    return change.sumOfSquares <= Self.tolerance * Self.tolerance * energy
  }

  /// Some rows of what the module adds to a weight of that shape; nil where that depends on the weight.
  private func change(for shape: Shape, rows: Range<Int>) throws(CheckpointError) -> Tensor? {
    let adapter = try adapter(for: shape)
    do throws(AdapterError) {
      guard rows != 0..<shape.rows, let part = adapter.restricted(toRows: rows) else {
        let change = try adapter.adapt(weight: Tensor(zeros: shape), multiplier: 1)
        return rows == 0..<shape.rows ? change : change.rows(rows)
      }
      return try part.adapt(
        weight: Tensor(zeros: Shape([rows.count] + shape.dimensions.dropFirst())), multiplier: 1)
    } catch {
      throw .module(file, module: name, error)
    }
  }
}
