/// Hands out one budget of bytes over many modules, each step where a byte removes most error.
///
/// Module i at rank r costs `fixed + r · perRank` bytes and leaves Σ_{j>r} σⱼ² of squared error; it
/// can instead be stored whole, at `whole` bytes and without error, or left out. Modules are
/// independent: the squared error of the file is the sum over modules.
///
/// The choices of a module are points (bytes, removed error). Only those on the upper convex hull
/// can be best for some price of a byte, and along the hull the gain per byte falls. Taking hull
/// steps of all modules in order of gain per byte therefore reaches, after every step, the least
/// error of all assignments of no more bytes (Everett 1963, "Generalized Lagrange multiplier
/// method"). A budget that ends within a step is filled with the later steps that still fit, then
/// with whatever choices off the hulls do; the result lies above the optimum by less than the gain
/// of the first step that did not fit.
///
/// - Complexity: O(n log n) for n singular values in all.
package struct RankAllocation: Sendable {
  /// What one module could be given.
  package struct Candidate: Sendable {
    /// σ² of the leading singular values, descending.
    package let energies: [Double]
    /// ‖Δ‖²_F, at least the sum of `energies`.
    package let totalEnergy: Double
    /// Bytes of a module with factors beyond those of each rank: alpha, header entries.
    package let fixedBytes: Int
    /// Bytes of one row of down and one column of up.
    package let bytesPerRank: Int
    /// Bytes of the delta itself, header entry included; nil if it may not be stored whole.
    package let wholeBytes: Int?

    package init(
      energies: [Double], totalEnergy: Double, fixedBytes: Int, bytesPerRank: Int, wholeBytes: Int?
    ) {
      self.energies = energies
      self.totalEnergy = totalEnergy
      self.fixedBytes = fixedBytes
      self.bytesPerRank = bytesPerRank
      self.wholeBytes = wholeBytes
    }
  }

  package enum Choice: Equatable, Sendable {
    case omitted
    case rank(Int)
    case whole
  }

  /// One choice per candidate, in their order.
  package let choices: [Choice]
  package let byteCount: Int
  /// Σ over modules of the squared error that remains.
  package let squaredError: Double

  /// - Parameter budget: bytes for all modules together.
  package init(of candidates: [Candidate], budget: Int) {
    var steps: [Step] = []
    for (index, candidate) in candidates.enumerated() {
      steps += candidate.hull.enumerated().map { Step(candidate: index, order: $0, target: $1) }
    }
    // Ties are broken by position, so that the result does not depend on the sort.
    steps.sort {
      $0.target.slope != $1.target.slope
        ? $0.target.slope > $1.target.slope
        : ($0.candidate, $0.order) < ($1.candidate, $1.order)
    }
    var reached = [Int](repeating: 0, count: candidates.count)
    var choices = [Choice](repeating: .omitted, count: candidates.count)
    var (spent, removed) = (0, 0.0)
    for step in steps where step.order == reached[step.candidate] {
      guard spent + step.target.bytes <= budget else { continue }
      spent += step.target.bytes
      removed += step.target.gain
      reached[step.candidate] += 1
      choices[step.candidate] = step.target.choice
    }
    for (index, candidate) in candidates.enumerated() {
      guard let better = candidate.best(beyond: choices[index], within: budget - spent) else {
        continue
      }
      spent += better.bytes
      removed += better.gain
      choices[index] = better.choice
    }
    self.choices = choices
    byteCount = spent
    squaredError = max(candidates.reduce(0) { $0 + $1.totalEnergy } - removed, 0)
  }

  /// A move of one candidate to the next point of its hull.
  private struct Step {
    let candidate: Int
    let order: Int
    let target: HullPoint
  }
}

/// A choice of a candidate; bytes and gain are those of the step that leads to it.
private struct HullPoint {
  let choice: RankAllocation.Choice
  let bytes: Int
  let gain: Double
  var slope: Double { gain / Double(max(bytes, 1)) }
}

extension RankAllocation.Candidate {
  /// Every choice that costs something, by bytes, with all that it costs and removes. Ranks whose
  /// factors take no fewer bytes than the whole delta are none.
  private var points: [(choice: RankAllocation.Choice, bytes: Int, removed: Double)] {
    var points: [(choice: RankAllocation.Choice, bytes: Int, removed: Double)] = []
    var removed = 0.0
    for (index, energy) in energies.enumerated() {
      let bytes = fixedBytes + (index + 1) * bytesPerRank
      if let wholeBytes, bytes >= wholeBytes { break }
      removed += energy
      points.append((.rank(index + 1), bytes, removed))
    }
    if let wholeBytes { points.append((.whole, wholeBytes, totalEnergy)) }
    return points
  }

  /// The choice that removes most for at most `bytes` more than the present one; nil if none does.
  fileprivate func best(
    beyond present: RankAllocation.Choice, within bytes: Int
  ) -> HullPoint? {
    let points = points
    let start = points.first { $0.choice == present } ?? (.omitted, 0, 0)
    guard
      let best = points.last(where: {
        $0.bytes <= start.bytes + bytes && $0.removed > start.removed
      })
    else { return nil }
    return HullPoint(
      choice: best.choice, bytes: best.bytes - start.bytes, gain: best.removed - start.removed)
  }

  /// The upper convex hull of (bytes, removed error) from (0, 0), as steps of falling slope.
  fileprivate var hull: [HullPoint] {
    // Monotone chain: a point under the line from its predecessor to the next one is dropped.
    var hull: [(choice: RankAllocation.Choice, bytes: Int, removed: Double)] = [(.omitted, 0, 0)]
    for point in points where point.removed > 0 {
      while let last = hull.last, hull.count > 1 {
        let before = hull[hull.count - 2]
        let toLast = (last.removed - before.removed) * Double(point.bytes - before.bytes)
        let toPoint = (point.removed - before.removed) * Double(last.bytes - before.bytes)
        guard toLast <= toPoint else { break }
        hull.removeLast()
      }
      hull.append(point)
    }
    return zip(hull, hull.dropFirst()).compactMap { from, to in
      let gain = to.removed - from.removed
      guard gain > 0 else { return nil }
      return HullPoint(choice: to.choice, bytes: to.bytes - from.bytes, gain: gain)
    }
  }
}
