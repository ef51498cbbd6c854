import Adapters
import Checkpoints
import ModelFamilies
import Safetensors
import SystemPackage

extension MergePlan {
  /// The JSON form of a plan.
  package struct Overview: Codable, Sendable {
    package struct Change: Codable, Sendable {
      let tensor: String
      let rows: [Int]?
      let module: String
      let adapter: String
      let algorithm: String
      let rank: Int?
      let multiplier: Float
    }

    let family: String
    let evidence: [String]
    let matched: Int
    let skipped: Int
    let unmatched: [UnmatchedModule]
    let warnings: [String]
    let changes: [Change]
  }

  package var overview: Overview {
    Overview(
      family: base.layout.family.name, evidence: base.layout.evidence, matched: matchedCount,
      skipped: skippedCount, unmatched: unmatched, warnings: notices,
      changes: contributions.sorted { $0.key < $1.key }.flatMap { key, contributions in
        contributions.map {
          Overview.Change(
            tensor: key, rows: $0.rows.map { [$0.lowerBound, $0.upperBound - 1] },
            module: $0.module.name, adapter: $0.module.file.string,
            algorithm: $0.module.algorithm.name, rank: $0.module.rank, multiplier: $0.multiplier)
        }
      })
  }

  /// The base's metadata, and what was merged into it.
  package var metadata: [String: String] {
    var metadata = base.file.metadata
    // The hash of a file that no longer is.
    metadata["modelspec.hash_sha256"] = nil
    QuantizationDescriptions.correct(&metadata) {
      base.quantized.weights[$0] != nil && !expansion.contains($0)
    }
    let titles = adapters.map {
      $0.file.file.metadata["modelspec.title"] ?? $0.file.file.path.lastComponent?.string ?? ""
    }
    let before = metadata["modelspec.merged_from"].map { [$0] } ?? []
    metadata["modelspec.merged_from"] = (before + titles).joined(separator: ", ")
    return metadata
  }
}
