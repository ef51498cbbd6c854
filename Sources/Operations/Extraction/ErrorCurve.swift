import Adapters
import Tensors

/// The error that an extraction leaves against the bytes that it takes: as it was done, and as the singular values that
/// it found on the way say that it could have been done.
///
/// Bytes are those of the file. Errors are ‖Δ − Δ'‖_F / ‖Δ‖_F over all that was to be stored, what had no room included;
/// they do not know of rounding to the stored format, but for that of the chosen point.
package struct ErrorCurve: Codable, Sendable {
  package struct Point: Codable, Equatable, Sendable {
    package let bytes: Int
    package let relativeError: Double
  }

  /// What one rank for all modules would come to.
  package struct RankPoint: Codable, Equatable, Sendable {
    package let rank: Int
    package let bytes: Int
    package let relativeError: Double
  }

  /// The file as it was written.
  package let chosen: Point
  /// The least error for its bytes, as `--mode size` finds it, in ascending order of bytes; no deeper than the
  /// extraction looked.
  package let best: [Point]
  /// No module with a rank above this one; empty where modules have no ranks, or their error does not follow from them.
  package let equalRanks: [RankPoint]

  /// One module as it was stored.
  struct Module {
    let item: ExtractionPlan.Item
    let result: Factorization
    /// All forms that it could have had, where they were weighed.
    let candidate: SizeAllocation.Candidate?
  }

  /// How many points a curve has at most.
  private static let resolution = 120
  /// How far beyond the chosen point the curve goes, in sizes of the file.
  private static let reach = 3

  /// - Parameters:
  ///   - modules: everything that was stored.
  ///   - withoutRoom: what one size for the file left out.
  ///   - other: bytes of the file that no module takes.
  ///   - bytes: of the file.
  init(
    _ modules: [Module], withoutRoom: [SizeAllocation.Candidate], besides other: Int,
    storage: DType, bytes: Int
  ) {
    let size = StoredSize(of: storage, within: max(bytes, 1) * Self.reach)
    let curves = modules.map { Candidates($0, size) }
    let energy =
      modules.reduce(0) { $0 + $1.result.energy } + withoutRoom.reduce(0) { $0 + $1.energy }
    let left = withoutRoom.reduce(0) { $0 + $1.energy }
    func relative(_ squaredError: Double) -> Double {
      energy > 0 ? (max(squaredError, 0) / energy).squareRoot() : 0
    }
    chosen = Point(
      bytes: bytes,
      relativeError: relative(modules.reduce(left) { $0 + $1.result.squaredError }))
    // What has one form stands there in any case, so the choice is about the others.
    let fixed = curves.filter(\.isFixed)
    let offset = fixed.reduce(other) { $0 + $1.stored.bytes }
    let rest = fixed.reduce(0) { $0 + $1.energy - $1.stored.removed }
    let frontier = SizeAllocation.frontier(
      of: curves.filter { !$0.isFixed }.map(\.candidate) + withoutRoom)
    best =
      frontier.count < 2
      ? []
      : Self.thinned(
        frontier.lazy.map {
          Point(bytes: offset + $0.bytes, relativeError: relative(rest + $0.squaredError))
        }.prefix { $0.bytes <= Self.reach * bytes })
    let highest = curves.map(\.byRank.count).max() ?? 0
    equalRanks = Self.ranks(upTo: highest).map { rank in
      var (total, remaining) = (other, left)
      for curve in curves {
        let point =
          curve.byRank.isEmpty
          ? curve.stored : curve.byRank[min(rank, curve.byRank.count) - 1]
        total += point.bytes
        remaining += curve.energy - point.removed
      }
      return RankPoint(rank: rank, bytes: total, relativeError: relative(remaining))
    }.filter { $0.bytes <= Self.reach * bytes }
  }

  /// All ranks where they are few, else some in equal proportions.
  private static func ranks(upTo highest: Int) -> [Int] {
    guard highest > 32 else { return Array(1..<max(highest + 1, 1)) }
    var ranks = Array(1...16)
    while let last = ranks.last, last < highest {
      ranks.append(min(last + max(last / 8, 1), highest))
    }
    return ranks
  }

  /// At most `resolution` of some points, about as far from one another in bytes, first and last included.
  private static func thinned(_ points: some Collection<Point>) -> [Point] {
    let points = Array(points)
    guard points.count > resolution, let first = points.first, let last = points.last else {
      return points
    }
    let step = max(Double(last.bytes - first.bytes) / Double(resolution - 1), 1)
    var kept = [first]
    for point in points.dropFirst().dropLast()
    where Double(point.bytes - first.bytes) >= Double(kept.count) * step {
      kept.append(point)
    }
    return kept + [last]
  }
}

/// The forms that one module could have.
private struct Candidates {
  let stored: SizeAllocation.Candidate.Point
  let energy: Double
  let candidate: SizeAllocation.Candidate
  /// By the rank less one; empty where the error of a rank is not known.
  let byRank: [SizeAllocation.Candidate.Point]
  /// Whether it is stored whatever the size of the file.
  let isFixed: Bool

  init(_ module: ErrorCurve.Module, _ size: StoredSize) {
    let (item, result) = (module.item, module.result)
    energy = result.energy
    stored = .init(
      bytes: size.stored(result, item), removed: result.energy - result.squaredError)
    isFixed = item.part != .weight
    if let weighed = module.candidate {
      candidate = weighed
      // The forms of LoRA alone are its ranks, and the whole change behind them.
      byRank =
        item.algorithms.count == 1 && item.algorithms[0] == LoRA.self
          && item.factorization.magnitudes == nil
        ? weighed.points.dropLast(item.factorization.allowsFull ? 1 : 0).map { $0 } : []
      return
    }
    // Twice the rank that was taken shows what another would come to.
    let options = LoRA.options(
      of: result.leading.prefix(2 * (result.rank ?? 0) + 8), shape: item.shape,
      energy: result.energy, settings: item.factorization)
    byRank = options.map {
      .init(bytes: size.option($0, item), removed: result.energy - $0.squaredError)
    }
    candidate = .init(points: byRank.isEmpty ? [stored] : byRank, energy: result.energy)
  }
}
