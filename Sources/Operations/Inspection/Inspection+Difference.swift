import Checkpoints
import Machine
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors

extension Inspection {
  /// What differs between this file and another, values included, among the tensors that the
  /// pattern leaves. Two adapters are compared by what they do, anything else as it is stored.
  package func difference(
    from other: Inspection, _ pattern: InspectionPattern, threads: Int, progress: ProgressReporter
  ) async throws -> FileDifference {
    var found = FileDifference(other: other.file.path.text)
    let keys = Set(file.metadata.keys).union(other.file.metadata.keys)
    found.metadata = keys.filter { file.metadata[$0] != other.file.metadata[$0] }.sorted()
    if adapter != nil, other.adapter != nil,
      let pair = try? (here: AdapterFile(file, .kept), there: AdapterFile(other.file, .kept))
    {
      let comparison = AdapterComparison(pair.here, pair.there, pattern)
      try await comparison.add(to: &found) {
        try await measure(
          $0, threads, "comparing", progress, cost: \.cost, transform: { try $0.distance() })
      }
      return found
    }
    let here = filtered(pattern)
    let there = other.filtered(pattern)
    found.onlyHere = here.map(\.name).filter { other.file.tensors[$0] == nil }
    found.onlyThere = there.map(\.name).filter { file.tensors[$0] == nil }
    let pairs = here.compactMap { view in
      other.file.tensors[view.name].map { (here: view, there: $0) }
    }
    found.reshaped = pairs.filter { $0.dtype != $1.dtype || $0.shape != $1.shape }.map {
      .init(
        name: $0.name, here: "\($0.dtype) \($0.shape)", there: "\($1.dtype) \($1.shape)")
    }
    let comparable = pairs.filter { $0.shape == $1.shape }
    let changes = try await measure(
      comparable, threads, "comparing", progress, cost: { $0.here.byteCount },
      transform: { try change(from: $0.here, to: $0.there, in: other) })
    found.changed = changes.compactMap { $0 }.sorted {
      ($1.change ?? .infinity, $0.name) < ($0.change ?? .infinity, $1.name)
    }
    found.equal = zip(comparable, changes).count { pair, change in
      change == nil && pair.here.dtype == pair.there.dtype
    }
    return found
  }

  /// nil if nothing changed; of tensors of different formats, if the numbers are the same.
  private func change(
    from here: TensorView, to there: TensorView, in other: Inspection
  ) throws -> FileDifference.Changed? {
    if here.dtype == there.dtype, here.hasEqualBytes(as: there) { return nil }
    let isQuantized = [self, other].contains { $0.base?.quantized.weights[here.name] != nil }
    if isQuantized {
      let change = try? other.values(of: there).squaredDistance(to: values(of: here)).squareRoot()
      return .init(name: here.name, change: change, relativeChange: nil)
    }
    guard here.dtype.isConvertible, there.dtype.isConvertible else {
      return .init(name: here.name, change: nil, relativeChange: nil)
    }
    var (square, energy) = (0.0, 0.0)
    here.forEachPart(beside: there) { before, after in
      square += after.squaredDistance(to: before)
      energy += before.sumOfSquares
    }
    let change = square.squareRoot()
    if change == 0, here.dtype != there.dtype { return nil }
    guard change.isFinite else { return .init(name: here.name, change: nil, relativeChange: nil) }
    let norm = energy.squareRoot()
    return .init(
      name: here.name, change: change,
      relativeChange: norm > 0 && norm.isFinite ? change / norm : nil)
  }
}
