import Adapters
import Checkpoints
import LinearAlgebra
import ModelFamilies
import OrderedCollections
import Safetensors
import Tensors

extension Merging {
  /// A contribution to the rows that are computed at once.
  private struct Place {
    let contribution: MergeContribution
    /// The rows that it changes, counted from the first that is computed.
    let rows: Range<Int>
    /// The same rows, counted in the weight that the module is made for.
    let source: Range<Int>
    /// Whether the rows of the tensor are not what the module is computed from: it needs other
    /// tensors too, is made for the weight before it was extended, or for the transposed weight.
    let isApart: Bool

    /// Whether it can be applied to what other contributions have changed already.
    var isAddedInPlace: Bool { contribution.isAdditive && !isApart }
  }

  /// A weight or bias, or rows of it, with all contributions, in f32: W + Σ (Wᵢ'(mᵢ) − W).
  ///
  /// Every change is that of the base, so that the order of adapters does not matter. What adds the
  /// same to every weight is added in place; what alone changes its rows takes their place.
  /// - Parameter adapter: the only one that takes part; nil for all.
  /// - Throws: `CheckpointError`
  func adapted(_ key: String, _ rows: Range<Int>?, by adapter: Int? = nil) throws -> Tensor {
    var tensor = try base(key, rows)
    let places = places(key, of: rows ?? 0..<tensor.shape.rows).filter {
      adapter == nil || $0.contribution.adapter == adapter
    }
    func isAlone(_ place: Place) -> Bool {
      !place.isApart && places.count { $0.rows.overlaps(place.rows) } == 1
    }
    let dependent = places.filter { !$0.isAddedInPlace }
    let original = dependent.allSatisfy(isAlone) ? nil : tensor
    for place in places.filter(\.isAddedInPlace) + dependent {
      if let original, !place.isAddedInPlace, !isAlone(place) {
        let change = try change(place, of: original, key)
        tensor.update(place.rows) { $0.adding(change, times: 1) }
      } else {
        let adapter = try place.contribution.adapter(rows: place.source)
        try tensor.update(place.rows) { try place.contribution.apply(adapter, to: $0) }
      }
    }
    return tensor
  }

  /// The contributions to rows of a tensor, in the order of the command line.
  private func places(_ key: String, of extent: Range<Int>) -> [Place] {
    (plan.contributions[key] ?? []).compactMap { contribution in
      let slot = contribution.rows ?? 0..<contribution.part.rows.count
      // Narrower than the tensor is what is made for the weight before it was extended.
      let isNarrow = plan.extensions[key].map { $0 != contribution.target.shape } ?? false
      let takesAll = isNarrow || contribution.isTransposed
      let common = takesAll ? extent : slot.clamped(to: extent)
      guard !common.isEmpty else { return nil }
      let shift = contribution.part.rows.lowerBound - slot.lowerBound
      return Place(
        contribution: contribution,
        rows: common.lowerBound - extent.lowerBound..<common.upperBound - extent.lowerBound,
        source: takesAll
          ? contribution.part.rows : common.lowerBound + shift..<common.upperBound + shift,
        isApart: takesAll || contribution.needsOtherTensors)
    }
  }

  /// W' − W of the rows of a place.
  /// - Parameter original: the rows computed at once, as they are in the base.
  private func change(_ place: Place, of original: Tensor, _ key: String) throws -> Tensor {
    let contribution = place.contribution
    if contribution.needsOtherTensors {
      let whole =
        contribution.isAdditive
        ? Tensor(zeros: contribution.target.shape)
        : Tensor.stacked(try contribution.target.parts.map { try plan.base.tensor($0.slot) })
      let adapter = try contribution.adapter(rows: 0..<contribution.target.shape.rows)
      let before = whole.rows(place.source)
      return try contribution.apply(adapter, to: consume whole).rows(place.source)
        .adding(before, times: -1)
    }
    let before =
      place.isApart ? try plan.base.tensor(contribution.part.slot) : original.rows(place.rows)
    let adapter = try contribution.adapter(rows: place.source)
    var change = try contribution.apply(adapter, to: before).adding(before, times: -1)
    if contribution.isTransposed { change = change.transposed() }
    return plan.extensions[key].map { change.extended(to: $0) } ?? change
  }

  /// A tensor of the base in f32, extended where an adapter asks for it; zeros for a new bias.
  func base(_ key: String, _ rows: Range<Int>?) throws -> Tensor {
    guard plan.base.file.tensors[key] != nil else {
      return Tensor(zeros: plan.newBiases[key]?.shape ?? [])
    }
    let tensor = try plan.base.tensor(ParameterSlot(key: key, rows: rows))
    return plan.extensions[key].map { tensor.extended(to: $0) } ?? tensor
  }
}

extension Tensor {
  /// Replaces a range of rows by a function of them, in place where they are all.
  fileprivate mutating func update(
    _ rows: Range<Int>, _ body: (consuming Tensor) throws -> Tensor
  ) rethrows {
    guard rows == 0..<shape.rows else {
      return replaceRows(from: rows.lowerBound, with: try body(self.rows(rows)))
    }
    let whole = self
    self = Tensor(zeros: [0])
    self = try body(consume whole)
  }
}
