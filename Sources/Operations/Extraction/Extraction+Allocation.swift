import Adapters
import Checkpoints
import LinearAlgebra
import Machine
import ModelFamilies
import Safetensors
import Tensors

extension Extraction {
  /// What an item could be given, aligned with the points of its candidate; the whole delta last.
  fileprivate struct Choices: Sendable {
    let candidate: SizeAllocation.Candidate
    /// None of what another rank has measured.
    let forms: [Work.Form]
    /// Whether deeper ranks than those that were tried may be worth their bytes.
    var isOpen: [Bool]
  }

  /// Divides `limit` bytes over the items, see `SizeAllocation`.
  ///
  /// Spectra are computed as deep as the budget can reach: first somewhat past the rank that every
  /// module would get in equal shares, then deeper wherever the allocation ends at the last value
  /// known.
  func allocate(
    _ limit: Int, _ policy: ExtractionMetadata, _ progress: ProgressReporter
  ) async throws -> (
    work: [Work], omitted: [ExtractionReport.Lost], withoutRoom: [SizeAllocation.Candidate]
  ) {
    let size = StoredSize(of: plan.storage, within: limit)
    let ranked = plan.items.filter { $0.policy != .full }
    let fixed = plan.items.filter { $0.policy == .full }
    let needed = try await changed(fixed).reduce(policy.byteBound(of: plan)) {
      $0 + size.whole($1, $1.part.suffix)
    }
    guard needed <= limit else { throw OperationError.sizeTooSmall(limit: limit, needed: needed) }
    let perRank = ranked.reduce(0) {
      $0 + ($1.shape.rows + $1.shape.columns) * size.bytesPerElement
    }
    let share = (limit - needed) / max(perRank, 1)
    var depths = ranked.map { min(2 * share + 8, deepest($0)) }
    var choices = [Choices?](repeating: nil, count: ranked.count)
    var shallow = Array(ranked.indices)
    while true {
      let own = shallow.filter { self.share.isOwn(ranked[$0]) }
      let total = own.reduce(0) { $0 + ranked[$1].cost }
      var completed = 0
      let found = try await concurrentMap(
        own, width: threads, cost: { ranked[$0].cost },
        transform: { [depths] in try self.choices(for: ranked[$0], depth: depths[$0], size) },
        finished: {
          completed += ranked[$0].cost
          progress.report(
            Progress(activity: "measuring", completed: completed, total: total, isBytes: false))
        })
      let told = try self.share.results(
        Array(zip(own, found)), of: ranked.count, isForAll: true,
        write: { $0.write(to: &$1) }, read: { Choices(reading: &$0) })
      for (index, found) in told.enumerated() {
        if let found { choices[index] = found }
      }
      let known = choices.compactMap { $0 }
      let allocation = SizeAllocation(of: known.map(\.candidate), budget: limit - needed)
      shallow = ranked.indices.filter { index in
        guard depths[index] < deepest(ranked[index]), let choice = allocation.choices[index] else {
          return false
        }
        return known[index].isOpen[choice]
      }
      if shallow.isEmpty { return try works(ranked, allocation, known, fixed) }
      for index in shallow { depths[index] = min(2 * depths[index], deepest(ranked[index])) }
    }
  }

  /// Those items in which base and tuned differ.
  private func changed(_ items: [ExtractionPlan.Item]) async throws -> [ExtractionPlan.Item] {
    let own = items.indices.filter { share.isOwn(items[$0]) }
    let found = try await concurrentMap(
      own, width: threads, cost: { items[$0].cost }, transform: { try delta(of: items[$0]) != nil })
    let told = try share.results(
      Array(zip(own, found)), of: items.count, isForAll: true,
      write: { $1.append($0 ? 1 : 0) }, read: { $0.integer() == 1 })
    return zip(items, told).filter { $1 ?? false }.map { $0.0 }
  }

  private func works(
    _ ranked: [ExtractionPlan.Item], _ allocation: SizeAllocation, _ choices: [Choices],
    _ fixed: [ExtractionPlan.Item]
  ) throws -> (
    work: [Work], omitted: [ExtractionReport.Lost], withoutRoom: [SizeAllocation.Candidate]
  ) {
    var work: [Work] = []
    var omitted: [ExtractionReport.Lost] = []
    var withoutRoom: [SizeAllocation.Candidate] = []
    for (index, item) in ranked.enumerated() {
      let candidate = choices[index].candidate
      if let choice = allocation.choices[index] {
        // Of another rank's item the form is not told: it does not matter here.
        let forms = choices[index].forms
        work.append(
          Work(
            item: item, form: forms.isEmpty ? .whole : forms[choice], candidate: candidate))
      } else if candidate.points.isEmpty, candidate.energy == 0 {
        // No change: there is nothing to store.
        work.append(Work(item: item, form: .whole))
      } else {
        guard share.ranks.isFirst else { continue }
        let energy =
          plan.statistics == nil ? candidate.energy : try delta(of: item)?.energy ?? 0
        omitted.append(try self.omitted(item, energy: energy))
        withoutRoom.append(candidate)
      }
    }
    return (work + fixed.map { Work(item: $0, form: nil) }, omitted, withoutRoom)
  }

  /// The rank from which on the whole delta is smaller than factors of LoRA, which are the largest.
  private func deepest(_ item: ExtractionPlan.Item) -> Int {
    let (m, n) = (item.shape.rows, item.shape.columns)
    return min(m, n, item.factorization.allowsFull ? max(m * n / (m + n), 1) : .max)
  }

  private func choices(
    for item: ExtractionPlan.Item, depth: Int, _ size: StoredSize
  ) throws -> Choices {
    guard let change = try change(of: item) else {
      return Choices(candidate: .init(points: [], energy: 0), forms: [], isOpen: [])
    }
    let options = try item.algorithms.flatMap {
      try $0.storedOptions(for: change, depth: depth, settings: item.factorization)
    }
    var points = options.map {
      SizeAllocation.Candidate.Point(
        bytes: size.option($0, item), removed: change.energy - $0.squaredError)
    }
    var forms = options.map { Work.Form.option($0) }
    var isOpen = options.map { $0.policy == .fixed(depth) }
    if item.factorization.allowsFull {
      points.append(.init(bytes: size.whole(item, Full.difference), removed: change.energy))
      forms.append(.whole)
      isOpen.append(true)
    }
    return Choices(
      candidate: .init(points: points, energy: change.energy), forms: forms, isOpen: isOpen)
  }
}

/// As ranks hand it to one another: numbers without forms.
extension Extraction.Choices {
  fileprivate func write(to message: inout Message) {
    message.append(candidate.energy)
    message.append(candidate.points.count)
    for (point, isOpen) in zip(candidate.points, isOpen) {
      message.append(point.bytes)
      message.append(point.removed)
      message.append(isOpen ? 1 : 0)
    }
  }

  fileprivate init(reading reader: inout MessageReader) {
    let energy = reader.number()
    var points: [SizeAllocation.Candidate.Point] = []
    isOpen = []
    for _ in 0..<reader.integer() {
      points.append(.init(bytes: reader.integer(), removed: reader.number()))
      isOpen.append(reader.integer() == 1)
    }
    candidate = .init(points: points, energy: energy)
    forms = []
  }
}
