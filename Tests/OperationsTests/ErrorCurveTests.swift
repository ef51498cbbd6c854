import Adapters
import Checkpoints
import Operations
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// The curve of an extraction against extractions that do what it says.
@Suite struct ErrorCurveTests {
  private static let pair = RealPair.all.first { $0.name == "fashion-ddpm" } ?? RealPair.all[0]

  private func extract(
    _ ranks: ExtractionSettings.Ranks, in folder: borrowing TemporaryFolder
  ) async throws -> ExtractionReport {
    // In f32, so that rounding, which the curve does not know, does not count.
    try await OperationsTests.extract(
      Self.pair.base, Self.pair.tuned, to: folder.file("a.safetensors"), ranks, storage: .f32,
      norms: true)
  }

  /// Every rank below the one that was taken comes to what an extraction of that rank finds. The sketch of the larger rank
  /// is another one: 1e-3 is its promise.
  @Test(arguments: [1, 3, 6])
  func lowerRanksAreAsExtracted(rank: Int) async throws {
    let folder = TemporaryFolder()
    let curve = try await extract(.perModule(linear: .fixed(8), convolution: .fixed(8)), in: folder)
      .curve
    #expect(curve.equalRanks.map(\.rank) == Array(1...8))
    let own = try await extract(
      .perModule(linear: .fixed(rank), convolution: .fixed(rank)), in: folder)
    let point = try #require(curve.equalRanks.first { $0.rank == rank })
    let found = own.curve.chosen.relativeError
    #expect(
      abs(point.relativeError - found) <= 1e-3 * found, "\(point.relativeError), \(found)")
    // Entries of the header are bounded from above, by the digits of the largest offset and padding.
    let bytes = own.totals.bytes
    #expect((bytes...bytes + bytes / 30).contains(point.bytes), "\(point.bytes), \(bytes)")
  }

  /// The curve ends where the extraction stands, and within a size the file has at most the error that the curve tells,
  /// up to the gain of the last step, which a budget may not reach.
  @Test func bestIsReachedWithinItsSize() async throws {
    let folder = TemporaryFolder()
    let report = try await extract(
      .perModule(linear: .fixed(8), convolution: .fixed(8)), in: folder)
    let curve = report.curve
    #expect(curve.chosen.bytes == report.totals.bytes)
    let last = try #require(curve.equalRanks.last)
    let chosen = curve.chosen.relativeError
    #expect(abs(last.relativeError - chosen) <= 1e-3 * chosen)
    #expect(abs(chosen - report.totals.relativeError) <= 1e-12)
    for (a, b) in zip(curve.best, curve.best.dropFirst()) {
      #expect(a.bytes < b.bytes && a.relativeError >= b.relativeError)
    }
    let point = curve.best[curve.best.count / 2]
    let sized = try await extract(.withinBytes(point.bytes), in: folder)
    #expect(sized.totals.bytes <= point.bytes)
    #expect(
      sized.curve.chosen.relativeError <= point.relativeError * 1.01,
      "\(sized.curve.chosen.relativeError), \(point.relativeError)")
    // What had no room is part of the error.
    let left = sized.leftOut.filter { $0.reason == "no room within --max_size" }
      .reduce(0) { $0 + ($1.change ?? 0) * ($1.change ?? 0) }
    let energy = sized.totals.deltaNorm * sized.totals.deltaNorm
    let stored = energy * sized.totals.relativeError * sized.totals.relativeError
    let expected = ((stored + left) / (energy + left)).squareRoot()
    #expect(abs(sized.curve.chosen.relativeError - expected) <= 1e-6 * expected)
  }

  /// Differences that are stored whole have no ranks, and a curve of what leaving some of them out would come to.
  @Test func wholeDifferencesHaveNoRanks() async throws {
    let folder = TemporaryFolder()
    let curve = try await extract(.perModule(linear: .full, convolution: .full), in: folder).curve
    #expect(curve.equalRanks.isEmpty)
    #expect(curve.best.count > 2 && curve.best.last?.relativeError ?? 1 < 1e-6)
  }
}
