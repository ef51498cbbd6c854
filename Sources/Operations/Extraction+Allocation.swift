import Adapters
import Checkpoints
import LinearAlgebra
import ModelFamilies
import Safetensors
import Tensors

extension Extraction {
  /// Divides `limit` bytes over the items, see `RankAllocation`.
  ///
  /// Spectra are computed as deep as the budget can reach: first somewhat past the rank that every
  /// module would get in equal shares, then deeper wherever the allocation ends at the last value
  /// known.
  func allocate(
    _ limit: Int, _ policy: ExtractionMetadata, _ progress: ProgressReporter
  ) async throws -> (work: [Work], omitted: [ExtractionReport.Lost]) {
    let size = StoredSize(of: plan.storage, within: limit)
    let ranked = plan.items.filter { $0.policy != .full }
    let fixed = plan.items.filter { $0.policy == .full }
    let needed = try await concurrentMap(
      fixed, width: threads, cost: \.cost, transform: { try delta(of: $0) == nil ? nil : $0 }
    ).compactMap { $0 }.reduce(policy.byteBound(of: plan)) {
      $0 + size.whole($1, $1.part.suffix)
    }
    guard needed <= limit else { throw OperationError.sizeTooSmall(limit: limit, needed: needed) }
    let perRank = ranked.reduce(0) { $0 + size.perRank($1) }
    let share = (limit - needed) / max(perRank, 1)
    var depths = ranked.map { min(2 * share + 8, deepest($0)) }
    var candidates = [RankAllocation.Candidate?](repeating: nil, count: ranked.count)
    var shallow = Array(ranked.indices)
    while true {
      let total = shallow.reduce(0) { $0 + ranked[$1].cost }
      var completed = 0
      let found = try await concurrentMap(
        shallow, width: threads, cost: { ranked[$0].cost },
        transform: { [depths] in try candidate(ranked[$0], depth: depths[$0], size) },
        finished: {
          completed += ranked[$0].cost
          progress.report(
            Progress(activity: "measuring", completed: completed, total: total, isBytes: false))
        })
      for (index, candidate) in zip(shallow, found) { candidates[index] = candidate }
      let allocation = RankAllocation(
        of: candidates.compactMap { $0 }, budget: limit - needed)
      shallow = ranked.indices.filter { index in
        guard let candidate = candidates[index], depths[index] < deepest(ranked[index]) else {
          return false
        }
        return allocation.choices[index] == .rank(candidate.energies.count)
          || allocation.choices[index] == .whole
      }
      if shallow.isEmpty { return try works(ranked, allocation, candidates, fixed) }
      for index in shallow { depths[index] = min(2 * depths[index], deepest(ranked[index])) }
    }
  }

  private func works(
    _ ranked: [ExtractionPlan.Item], _ allocation: RankAllocation,
    _ candidates: [RankAllocation.Candidate?], _ fixed: [ExtractionPlan.Item]
  ) throws -> (work: [Work], omitted: [ExtractionReport.Lost]) {
    var work: [Work] = []
    var omitted: [ExtractionReport.Lost] = []
    for (index, item) in ranked.enumerated() {
      let energy = candidates[index]?.totalEnergy ?? 0
      if allocation.choices[index] != .omitted || energy == 0 {
        work.append(Work(item: item, choice: allocation.choices[index]))
      } else {
        omitted.append(try self.omitted(item, energy: energy))
      }
    }
    return (work + fixed.map { Work(item: $0, choice: nil) }, omitted)
  }

  /// The rank from which on the whole delta is smaller than its factors.
  private func deepest(_ item: ExtractionPlan.Item) -> Int {
    let (m, n) = (item.shape.rows, item.shape.columns)
    return min(m, n, factorization.allowsFull ? max(m * n / (m + n), 1) : .max)
  }

  private func candidate(
    _ item: ExtractionPlan.Item, depth: Int, _ size: StoredSize
  ) throws -> RankAllocation.Candidate {
    let delta = try delta(of: item)
    var energies: [Double] = []
    if let delta {
      let matrix = delta.tensor.reshaped(item.shape.asMatrix)
      let values =
        factorization.method == .exact
        ? try matrix.singularValues()
        : try matrix.truncatedSVD(
          rank: depth, method: factorization.method, seed: factorization.seed,
          energy: delta.energy
        ).s
      energies = values.prefix(depth).map { Double($0) * Double($0) }
    }
    return RankAllocation.Candidate(
      energies: energies, totalEnergy: delta?.energy ?? 0,
      fixedBytes: size.factorsBeyondRanks(item), bytesPerRank: size.perRank(item),
      wholeBytes: factorization.allowsFull ? size.whole(item, Full.difference) : nil)
  }
}

/// Upper bounds of what tensors take in a file, header entry included.
private struct StoredSize {
  private let storage: DType
  /// Digits of the largest offset.
  private let offsetDigits: Int

  init(of storage: DType, within limit: Int) {
    self.storage = storage
    offsetDigits = "\(limit)".utf8.count
  }

  private var bytesPerElement: Int { storage.bitsPerElement / 8 }

  /// A tensor stored as it is.
  func whole(_ item: ExtractionPlan.Item, _ suffix: String) -> Int {
    entry(item, suffix, item.shape) + bytesPerElement * item.shape.count
  }

  /// The entries of up, down and alpha, and alpha itself, which is F32.
  func factorsBeyondRanks(_ item: ExtractionPlan.Item) -> Int {
    // The rank has as many digits as the deepest at most.
    let deepest = min(item.shape.rows, item.shape.columns)
    let ones = item.shape.kernel.map { _ in 1 }
    return entry(item, "lora_up.weight", Shape([item.shape.rows, deepest] + ones))
      + entry(item, "lora_down.weight", Shape([deepest] + item.shape.dimensions.dropFirst()))
      + entry(item, alphaSuffix.name, []) + 4
  }

  /// One column of up and one row of down.
  func perRank(_ item: ExtractionPlan.Item) -> Int {
    (item.shape.rows + item.shape.columns) * bytesPerElement
  }

  private func entry(_ item: ExtractionPlan.Item, _ suffix: String, _ shape: Shape) -> Int {
    let extents = shape.dimensions.map(String.init).joined(separator: ",")
    let name = item.module.adapterName
    // A name may hold characters that JSON escapes.
    let escapes = name.utf8.count { $0 < 0x20 || $0 == 0x22 || $0 == 0x5C }
    return #""\#(name).\#(suffix)":{"dtype":"BF16","shape":[\#(extents)],"data_offsets":[,]},"#.utf8
      .count
      + 5 * escapes + 2 * offsetDigits
  }
}
