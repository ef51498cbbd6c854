import Adapters
import Tensors
import TestSupport
import Testing

/// The allocation against all combinations of choices, on cases small enough to try them all.
@Suite struct SizeAllocationTests {
  typealias Candidate = SizeAllocation.Candidate

  /// The points of a module whose ranks remove `energies` one by one, and that may be stored whole.
  static func candidate(
    energies: [Double], rest: Double = 0, fixedBytes: Int, bytesPerRank: Int, wholeBytes: Int?
  ) -> Candidate {
    var points: [Candidate.Point] = []
    for rank in energies.indices.map({ $0 + 1 }) {
      points.append(
        .init(
          bytes: fixedBytes + rank * bytesPerRank, removed: energies.prefix(rank).reduce(0, +)))
    }
    let total = energies.reduce(rest, +)
    if let wholeBytes { points.append(.init(bytes: wholeBytes, removed: total)) }
    return Candidate(points: points, energy: total)
  }

  /// Random candidates: falling spectra, some truncated, some that may be stored whole.
  static func candidates(seed: UInt64) -> [Candidate] {
    var generator = SeededGenerator(seed: seed)
    return (0..<Int.random(in: 1...3, using: &generator)).map { _ in
      let energies = (0..<Int.random(in: 1...4, using: &generator)).map { _ in
        Double.random(in: 0.01...10, using: &generator)
      }.sorted(by: >)
      let rest = Bool.random(using: &generator) ? Double.random(in: 0...1, using: &generator) : 0
      let (fixed, perRank) = (
        Int.random(in: 0...20, using: &generator), Int.random(in: 1...12, using: &generator)
      )
      let whole =
        Bool.random(using: &generator) ? Int.random(in: 5...60, using: &generator) : nil
      return candidate(
        energies: energies, rest: rest, fixedBytes: fixed, bytesPerRank: perRank,
        wholeBytes: whole)
    }
  }

  /// Candidates whose points lie anywhere, as those of several algorithms do.
  static func scattered(seed: UInt64) -> [Candidate] {
    var generator = SeededGenerator(seed: seed)
    return (0..<Int.random(in: 1...3, using: &generator)).map { _ in
      Candidate(
        points: (0..<Int.random(in: 1...5, using: &generator)).map { _ in
          .init(
            bytes: Int.random(in: 1...40, using: &generator),
            removed: Double.random(in: 0...8, using: &generator))
        }, energy: 8)
    }
  }

  /// Every choice with what it costs and removes.
  static func options(
    _ candidate: Candidate
  ) -> [(choice: Int?, bytes: Int, removed: Double)] {
    [(nil, 0, 0)] + candidate.points.enumerated().map { ($0, $1.bytes, $1.removed) }
  }

  /// Bytes and remaining error of every combination.
  static func combinations(_ candidates: [Candidate]) -> [(bytes: Int, error: Double)] {
    var found = [(bytes: 0, error: candidates.reduce(0) { $0 + $1.energy })]
    for candidate in candidates {
      let options = options(candidate)
      found = found.flatMap { point in
        options.map { (point.bytes + $0.bytes, point.error - $0.removed) }
      }
    }
    return found
  }

  /// The budgets that the best choices for some price of a byte use up.
  static func exhaustedBudgets(_ candidates: [Candidate]) -> [Int] {
    let all = candidates.map(options)
    var prices: [Double] = []
    for options in all {
      for a in options {
        for b in options where b.bytes > a.bytes && b.removed > a.removed {
          prices.append((b.removed - a.removed) / Double(b.bytes - a.bytes))
        }
      }
    }
    prices.sort()
    let between = zip(prices, prices.dropFirst()).map { ($0 + $1) / 2 }
    return ([0] + between + [(prices.last ?? 0) + 1]).map { price in
      all.reduce(0) { sum, options in
        sum
          + options.max {
            $0.removed - price * Double($0.bytes) < $1.removed - price * Double($1.bytes)
          }!
          .bytes
      }
    }.sorted()
  }

  @Test(arguments: UInt64(0)..<30, [false, true])
  func meetsTheOptimum(seed: UInt64, scattered: Bool) {
    let candidates = scattered ? Self.scattered(seed: seed) : Self.candidates(seed: seed)
    let combinations = Self.combinations(candidates).sorted { $0.bytes < $1.bytes }
    let exhausted = Set(Self.exhaustedBudgets(candidates)).union([0]).sorted()
    let total = candidates.reduce(0) { $0 + $1.energy }
    let tolerance = 1e-12 * total
    var optimum = Double.infinity
    var (next, lastExhausted) = (0, 0)
    var optimumAtExhausted = total
    let optima = exhausted.map { budget in
      combinations.filter { $0.bytes <= budget }.map(\.error).min()!
    }
    for budget in 0...(combinations.last!.bytes + 5) {
      while next < combinations.count, combinations[next].bytes <= budget {
        optimum = min(optimum, combinations[next].error)
        next += 1
      }
      let allocation = SizeAllocation(of: candidates, budget: budget)
      #expect(allocation.byteCount <= budget)
      #expect(allocation.squaredError >= optimum - tolerance, "seed \(seed), budget \(budget)")
      if let place = exhausted.firstIndex(of: budget) {
        (lastExhausted, optimumAtExhausted) = (place, optima[place])
        #expect(
          abs(allocation.squaredError - optimum) <= tolerance,
          "seed \(seed), budget \(budget): \(allocation.squaredError), optimum \(optimum)")
      }
      // Between two such budgets the result is at least that of the lower one, and the gap is below
      // the gain of the step that would lead to the higher one.
      #expect(allocation.squaredError <= optimumAtExhausted + tolerance)
      if lastExhausted + 1 < optima.count {
        #expect(
          allocation.squaredError - optimum
            <= optimumAtExhausted - optima[lastExhausted + 1] + tolerance,
          "seed \(seed), budget \(budget)")
      }
    }
  }

  /// What is stated is what the choices cost and leave.
  @Test(arguments: UInt64(100)..<115)
  func statesWhatTheChoicesAmountTo(seed: UInt64) {
    let candidates = Self.candidates(seed: seed)
    for budget in stride(from: 0, through: 160, by: 7) {
      let allocation = SizeAllocation(of: candidates, budget: budget)
      var (bytes, error) = (0, 0.0)
      for (candidate, choice) in zip(candidates, allocation.choices) {
        let option = Self.options(candidate).first { $0.choice == choice }!
        bytes += option.bytes
        error += candidate.energy - option.removed
      }
      #expect(bytes == allocation.byteCount)
      #expect(abs(error - allocation.squaredError) <= 1e-12 * max(error, 1))
    }
  }

  @Test func zeroBudgetOmitsEverything() {
    let allocation = SizeAllocation(of: Self.candidates(seed: 7), budget: 0)
    #expect(allocation.choices.allSatisfy { $0 == nil })
    #expect(allocation.byteCount == 0)
    #expect(SizeAllocation(of: [], budget: 100).choices.isEmpty)
  }

  @Test func storesWholeWhereThatIsCheaper() {
    let flat = Self.candidate(
      energies: [1, 1, 1], rest: 0.5, fixedBytes: 2, bytesPerRank: 4, wholeBytes: 10)
    // Rank 1 lies below the line to the whole delta, and is what fits.
    #expect(SizeAllocation(of: [flat], budget: 9).choices == [0])
    #expect(SizeAllocation(of: [flat, flat], budget: 16).choices == [3, 0])
    #expect(SizeAllocation(of: [flat], budget: 10).choices == [3])
    #expect(SizeAllocation(of: [flat], budget: 10).squaredError == 0)
  }

  /// Equal gains per byte: the first candidates win, in every run alike.
  @Test func breaksTiesByPosition() {
    let one = Self.candidate(
      energies: [1, 1], fixedBytes: 0, bytesPerRank: 10, wholeBytes: nil)
    let allocation = SizeAllocation(of: [one, one, one], budget: 40)
    #expect(allocation.choices == [1, 1, nil])
    #expect(allocation.squaredError == 2)
  }

  @Test func skipsAStepThatDoesNotFitForLaterOnes() {
    let large = Candidate(points: [.init(bytes: 50, removed: 100)], energy: 100)
    let small = Candidate(points: [.init(bytes: 10, removed: 1)], energy: 1)
    #expect(SizeAllocation(of: [large, small], budget: 49).choices == [nil, 0])
    #expect(SizeAllocation(of: [large, small], budget: 60).choices == [0, 0])
  }
}
