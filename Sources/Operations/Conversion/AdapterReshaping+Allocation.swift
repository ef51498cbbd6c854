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

  /// - Throws: `OperationError.sizeTooSmall`
  func allocated(_ work: [Work], limit: Int, threads: Int) async throws -> [Work] {
    let spectra = try await concurrentMap(
      work, width: threads, cost: \.cost, transform: { try spectrum(of: $0.module) })
    let fixed = spectra.reduce(0) { $0 + $1.otherBytes }
    guard fixed <= limit else {
      throw OperationError.sizeTooSmall(limit: limit, needed: fixed)
    }
    let candidates = spectra.map { spectrum in
      let squares = spectrum.squares ?? []
      var removed = 0.0
      let points = squares.enumerated().map { index, square in
        removed += square
        return SizeAllocation.Candidate.Point(
          bytes: (index + 1) * spectrum.bytesPerRank, removed: removed)
      }
      return SizeAllocation.Candidate(points: points, energy: removed)
    }
    let allocation = SizeAllocation(of: candidates, budget: limit - fixed)
    return zip(work, zip(spectra, allocation.choices)).map { work, found in
      var work = work
      let (spectrum, choice) = found
      guard spectrum.squares != nil else { return work }
      work.ranks = .init(.fixed((choice ?? 0) + 1))
      work.isDropped = choice == nil
      return work
    }
  }

  private func spectrum(of module: AdapterModule) throws -> Spectrum {
    func bytes(_ isFactor: (String) -> Bool) -> Int {
      module.views.reduce(0) { sum, entry in
        // Name, format, shape and offsets in the header.
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
