/// Hands out one budget of bytes over many modules, each step where a byte removes most error.
///
/// A module can be left out or stored in one of several forms, each a point (bytes, removed error).
/// Modules are independent: the squared error of the file is the sum over modules. Only points on the
/// upper convex hull of a module can be best for some price of a byte, and along the hull the gain per
/// byte falls. Taking hull steps of all modules in order of gain per byte therefore reaches, after
/// every step, the least error of all assignments of no more bytes (Everett 1963, "Generalized
/// Lagrange multiplier method"). A budget that ends within a step is filled with the later steps that
/// still fit, then with whatever points off the hulls do; the result lies above the optimum by less
/// than the gain of the first step that did not fit.
///
/// - Complexity: O(n log n) for n points in all.
package struct SizeAllocation: Sendable {
  /// What one module could be given.
  package struct Candidate: Sendable {
    package struct Point: Sendable {
      package let bytes: Int
      /// The squared error that the form takes away.
      package let removed: Double

      package init(bytes: Int, removed: Double) {
        self.bytes = bytes
        self.removed = removed
      }
    }

    /// The forms in which the module can be stored, in any order.
    package let points: [Point]
    /// The squared error without the module.
    package let energy: Double

    package init(points: [Point], energy: Double) {
      self.points = points
      self.energy = energy
    }
  }

  /// The point of each candidate, in their order; nil for those left out.
  package let choices: [Int?]
  package let byteCount: Int
  /// Σ over modules of the squared error that remains.
  package let squaredError: Double

  /// - Parameter budget: bytes for all modules together.
  package init(of candidates: [Candidate], budget: Int) {
    let steps = Self.steps(of: candidates)
    var reached = [Int](repeating: 0, count: candidates.count)
    var choices = [Int?](repeating: nil, count: candidates.count)
    var (spent, removed) = (0, 0.0)
    for step in steps where step.order == reached[step.candidate] {
      guard spent + step.target.bytes <= budget else { continue }
      spent += step.target.bytes
      removed += step.target.gain
      reached[step.candidate] += 1
      choices[step.candidate] = step.target.point
    }
    for (index, candidate) in candidates.enumerated() {
      guard let better = candidate.best(beyond: choices[index], within: budget - spent) else {
        continue
      }
      spent += better.bytes
      removed += better.gain
      choices[index] = better.point
    }
    self.choices = choices
    byteCount = spent
    squaredError = max(candidates.reduce(0) { $0 + $1.energy } - removed, 0)
  }

  /// What every budget would do, from nothing to all there is: bytes and remaining squared error after each step
  /// of the hulls, the least error of all assignments of no more bytes.
  /// - Complexity: O(n log n)
  package static func frontier(
    of candidates: [Candidate]
  ) -> [(bytes: Int, squaredError: Double)] {
    var (bytes, left) = (0, candidates.reduce(0) { $0 + $1.energy })
    var frontier = [(bytes: bytes, squaredError: left)]
    for step in steps(of: candidates) {
      bytes += step.target.bytes
      left -= step.target.gain
      frontier.append((bytes, max(left, 0)))
    }
    return frontier
  }

  /// The steps of all hulls in order of gain per byte.
  private static func steps(of candidates: [Candidate]) -> [Step] {
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
    return steps
  }

  /// A move of one candidate to the next point of its hull.
  private struct Step {
    let candidate: Int
    let order: Int
    let target: Move
  }
}

/// A point of a candidate; bytes and gain are those of the move that leads to it.
private struct Move {
  let point: Int
  let bytes: Int
  let gain: Double
  var slope: Double { gain / Double(max(bytes, 1)) }
}

extension SizeAllocation.Candidate {
  /// The point that removes most for at most `bytes` more than the present one, the cheapest of
  /// equals; nil if none removes more.
  fileprivate func best(beyond present: Int?, within bytes: Int) -> Move? {
    let start = present.map { points[$0] } ?? Point(bytes: 0, removed: 0)
    var best: Int?
    for (index, point) in points.enumerated()
    where point.bytes <= start.bytes + bytes && point.removed > start.removed {
      let rival = best.map { points[$0] }
      if rival.map({ ($0.removed, -$0.bytes) < (point.removed, -point.bytes) }) ?? true {
        best = index
      }
    }
    return best.map {
      Move(
        point: $0, bytes: points[$0].bytes - start.bytes, gain: points[$0].removed - start.removed)
    }
  }

  /// The upper convex hull of (bytes, removed error) from (0, 0), as moves of falling slope.
  fileprivate var hull: [Move] {
    let order = points.indices.filter { points[$0].removed > 0 }.sorted {
      (points[$0].bytes, points[$1].removed, $0) < (points[$1].bytes, points[$0].removed, $1)
    }
    // Monotone chain: a point under the line from its predecessor to the next one is dropped.
    var hull: [Int] = []
    func point(_ position: Int) -> Point {
      position < 0 ? Point(bytes: 0, removed: 0) : points[hull[position]]
    }
    for index in order {
      let next = points[index]
      while let last = hull.indices.last {
        let before = point(last - 1)
        let toLast = (point(last).removed - before.removed) * Double(next.bytes - before.bytes)
        let toNext = (next.removed - before.removed) * Double(point(last).bytes - before.bytes)
        guard toLast <= toNext else { break }
        hull.removeLast()
      }
      if next.removed > point(hull.count - 1).removed { hull.append(index) }
    }
    return hull.indices.map {
      Move(
        point: hull[$0], bytes: point($0).bytes - point($0 - 1).bytes,
        gain: point($0).removed - point($0 - 1).removed)
    }
  }
}
