import Adapters
import Foundation
import LinearAlgebra
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Ranks against those of `lycoris.utils` and of the definition, on matrices of known spectrum.
@Suite struct RankPolicyTests {
  struct Expectations: Decodable {
    struct Case: Decodable, Sendable, CustomTestStringConvertible {
      struct Upstream: Decodable, Sendable {
        let rank: Int?
      }

      let matrix: String
      let mode: String
      let parameter: Double
      let rank: Int
      let relativeError: Double
      let keptEnergy: Double
      let upstream: Upstream

      var testDescription: String { "\(matrix) \(mode) \(parameter)" }

      var policy: RankPolicy {
        switch mode {
        case "fixed": .fixed(Int(parameter))
        case "threshold": .threshold(parameter)
        case "ratio": .ratio(parameter)
        case "quantile": .quantile(parameter)
        default: preconditionFailure("mode \(mode)")
        }
      }
    }

    let singularValues: [String: [Double]]
    let cases: [Case]
  }

  static let expectations: Expectations = {
    let data = try! Data(contentsOf: URL(filePath: Fixtures.path("extract/ranks.json").string))
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try! decoder.decode(Expectations.self, from: data)
  }()
  static let cases = expectations.cases
  static let spectra = try! TensorFile(opening: Fixtures.path("extract/spectra.safetensors"))

  @Test func coversEveryMode() {
    #expect(Set(Self.cases.map(\.mode)) == ["fixed", "threshold", "ratio", "quantile"])
    #expect(Self.cases.count > 50)
  }

  @Test(arguments: cases)
  func choosesTheRank(expected: Expectations.Case) throws {
    let delta = Self.spectra.tensors[expected.matrix]!.tensor()
    let found = try LoRA.factorize(
      WeightChange(delta), policy: expected.policy,
      settings: FactorizationSettings(method: .exact, storage: .f32, allowsFull: false))
    guard !Self.isCappedUpstream(expected, delta.shape) else {
      #expect(found.rank == Self.countByDefinition(expected))
      return
    }
    #expect(found.rank == expected.rank)
    // The recorded figures carry nine digits; 1e-4 is what f32 keeps of an error of 1e-3.
    #expect(
      abs(found.relativeError - expected.relativeError) <= 1e-4 * expected.relativeError + 3e-7,
      "\(found.relativeError), expected \(expected.relativeError)")
    #expect(abs(found.keptEnergy - expected.keptEnergy) <= 1e-6)
  }

  /// Upstream takes no more ranks than a convolution has inputs, though a kernel allows more. Ours
  /// is what the mode says.
  static func isCappedUpstream(_ expected: Expectations.Case, _ shape: Shape) -> Bool {
    shape.kernel.contains { $0 != 1 } && expected.rank == shape.dimensions[1]
      && countByDefinition(expected) > expected.rank
  }

  /// The rank by the definition of the modes that count singular values one by one.
  static func countByDefinition(_ expected: Expectations.Case) -> Int {
    let values = expectations.singularValues[expected.matrix]!
    return switch expected.mode {
    case "fixed": min(Int(expected.parameter), values.count)
    case "threshold": values.count { $0 > expected.parameter }
    case "ratio": values.count { $0 > expected.parameter * values[0] }
    default: expected.rank
    }
  }

  /// Upstream is one rank short where the quantile decides, and nowhere else.
  @Test(arguments: cases)
  func differsFromUpstreamInTheQuantileAlone(expected: Expectations.Case) {
    guard let upstream = expected.upstream.rank, expected.mode != "quantile" else { return }
    #expect(upstream == expected.rank)
  }

  /// The smallest rank within the bound, by the definition, on every matrix.
  @Test(arguments: ["linear-wide", "linear-tall", "linear-square", "linear-rank3", "conv3x3"])
  func keepsTheErrorBound(matrix: String) throws {
    let delta = Self.spectra.tensors[matrix]!.tensor()
    let energies = try delta.reshaped(delta.shape.asMatrix).singularValues().map {
      Double($0) * Double($0)
    }
    let total = energies.reduce(0, +)
    for bound in [0.9, 0.5, 0.2, 0.1, 0.03, 0.01] {
      let found = try LoRA.factorize(
        WeightChange(delta), policy: .error(bound),
        settings: FactorizationSettings(storage: .f32, allowsFull: false))
      let rank = try #require(found.rank)
      #expect(found.relativeError <= bound * (1 + 1e-5), "\(matrix) at \(bound)")
      let shorter = energies.dropFirst(rank - 1).reduce(0, +)
      #expect(
        rank == 1 || (shorter / total).squareRoot() > bound * (1 - 1e-5),
        "\(matrix) at \(bound): rank \(rank - 1) would do")
    }
  }

  @Test func neverLeavesTheSpectrum() {
    let spectrum: [Float] = [3, 2, 1]
    let policies: [RankPolicy] = [
      .threshold(100), .threshold(0), .ratio(1), .ratio(0), .quantile(0), .quantile(1),
      .error(0.999), .error(1e-9), .fixed(0), .fixed(100), .full,
    ]
    #expect(policies.map { $0.rank(of: spectrum) } == [1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 3])
    #expect(RankPolicy.quantile(0.5).rank(of: [0, 0]) == 1)
  }
}
