import Adapters
import Checkpoints
import LinearAlgebra
import Safetensors
import Tensors

/// One budget of bytes over all modules: LoRA of the ranks at which a byte removes most error.
extension AdapterReshaping {
  /// What a module could be given.
  private struct Spectrum: Sendable {
    /// nil where the module is not to change.
    let squares: [Double]?
    let bytesPerRank: Int
    /// Bytes beside the factors, or of all the module where it does not change.
    let otherBytes: Int
  }

  /// - Parameter reserved: bytes of the limit that are for other things than modules.
  /// - Throws: `OperationError.sizeTooSmall` where not even one module has room.
  func allocated(
    _ work: [Work], limit: Int, reserving reserved: Int, threads: Int
  ) async throws -> [Work] {
    let spectra = try await concurrentMap(
      work, width: threads, cost: \.cost, transform: { try spectrum(of: $0.module) })
    let fixed = spectra.reduce(reserved) { $0 + ($1.squares == nil ? $1.otherBytes : 0) }
    let candidates = spectra.map { spectrum in
      var removed = 0.0
      let points = (spectrum.squares ?? []).enumerated().map { index, square in
        removed += square
        return SizeAllocation.Candidate.Point(
          bytes: spectrum.otherBytes + (index + 1) * spectrum.bytesPerRank, removed: removed)
      }
      return SizeAllocation.Candidate(points: points, energy: removed)
    }
    let smallest = candidates.compactMap { $0.points.first?.bytes }.min() ?? 0
    guard fixed + smallest <= limit else {
      throw OperationError.sizeTooSmall(limit: limit, needed: fixed + smallest)
    }
    let allocation = SizeAllocation(of: candidates, budget: limit - fixed)
    return work.indices.map { index in
      var work = work[index]
      guard spectra[index].squares != nil else { return work }
      if let choice = allocation.choices[index] {
        work.ranks = .init(.fixed(choice + 1))
      } else {
        let energy = candidates[index].energy
        work.leftOut = LeftOutModule(
          module: work.module.name,
          reason: energy == 0 ? "it changes nothing" : "no room within --max_size",
          deltaNorm: energy.squareRoot())
      }
      return work
    }
  }

  private func spectrum(of module: AdapterModule) throws -> Spectrum {
    func bytes(_ isFactor: (String) -> Bool) -> Int {
      module.views.reduce(0) { sum, entry in
        // Beside the name: format, shape and offsets in the header.
        sum + (isFactor(entry.key) ? 0 : entry.value.byteCount) + module.name.utf8.count
          + entry.key.utf8.count + 96
      } + (module.alpha == nil ? 0 : 4 + module.name.utf8.count + 96)
    }
    let shape = (try? shape(for: module)) ?? []
    guard module.changesWeight, shape.dimensions.count > 1,
      module.algorithm is any AdditiveAlgorithm.Type,
      module.algorithm == LoRA.self || settings.target != nil
    else { return Spectrum(squares: nil, bytesPerRank: 0, otherBytes: bytes { _ in false }) }
    let adapter = try module.adapter(for: shape)
    let inner = Adapter(algorithm: adapter.algorithm, factors: adapter.factors)
    let values: [Float]
    if let change = try inner.lowRankChange(for: shape) {
      values = try DecomposedProduct(change.up, change.down).s
    } else {
      values = try inner.change(of: Tensor(zeros: shape)).matrix.singularValues()
    }
    let kept = biasSuffixes.union(WeightDecomposition<Tensor>.suffixes.map(\.name))
    return Spectrum(
      squares: values.map { Double($0) * Double($0) },
      bytesPerRank: (shape.rows + shape.columns) * module.factorFormat.bitsPerElement / 8,
      otherBytes: bytes { !kept.contains($0) })
  }
}
