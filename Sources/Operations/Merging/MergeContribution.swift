import Adapters
package import Checkpoints
import ModelFamilies
import Tensors

/// What one adapter module does to one tensor of a base, or to some of its rows.
package struct MergeContribution: Sendable {
  package let module: AdapterModule
  /// The place of its adapter on the command line, from 0.
  let adapter: Int
  /// The layer of the base.
  let layer: FamilyModule
  /// The weight or bias that the module is made for.
  let target: MergeTarget
  /// The part of it that it changes here.
  let part: MergeTarget.Part
  package let isBias: Bool
  package let multiplier: Float

  /// The rows of the tensor that it changes; nil for all.
  package var rows: Range<Int>? { part.slot.rows }

  /// Whether rows of the result depend on the same rows of the base alone.
  var worksByRows: Bool {
    !isTransposed && (isBias || module.worksByRows(for: target.shape))
  }

  /// Whether the tensor has inputs for rows.
  var isTransposed: Bool { part.slot.isTransposed }

  /// Whether it adds the same whatever the base.
  var isAdditive: Bool { isBias || module.isAdditive }

  /// Whether it has to see more of the weight than the tensor holds.
  var needsOtherTensors: Bool { target.parts.count > 1 && !worksByRows }

  /// The decoded module, for a range of rows of its weight.
  /// - Precondition: all rows, if it does not work by rows.
  /// - Throws: `CheckpointError`
  func adapter(rows: Range<Int>) throws(CheckpointError) -> Adapter {
    if !isBias, rows != 0..<target.shape.rows,
      let part = module.part(ofRows: rows, for: target.shape)
    {
      return try part.adapter(for: Shape([rows.count] + target.shape.dimensions.dropFirst()))
    }
    let whole: Adapter
    if isBias, let change = try module.biasChange() {
      whole = Adapter(algorithm: Full.self, factors: change)
    } else {
      whole = try module.adapter(for: target.shape)
    }
    guard rows != 0..<target.shape.rows else { return whole }
    guard let restricted = whole.restricted(toRows: rows) else {
      preconditionFailure("\(module.algorithm.name) for rows \(rows) of \(target.shape)")
    }
    return restricted
  }

  /// W' or b' of the rows that the adapter is for.
  /// - Throws: `CheckpointError.module`
  func apply(_ adapter: Adapter, to base: consuming Tensor) throws(CheckpointError) -> Tensor {
    do throws(AdapterError) {
      return try adapter.adapt(weight: base, multiplier: multiplier)
    } catch {
      throw .module(module.file, module: module.name, error)
    }
  }
}
