import Checkpoints
import ModelFamilies
import Safetensors
import SystemPackage
import Tensors

extension CheckpointConversionPlan {
  /// The JSON form of a plan.
  package struct Overview: Codable, Sendable {
    /// One tensor that is written.
    package struct Output: Codable, Sendable {
      package let tensor: String
      package let dtype: String
      package let shape: [Int]
      /// `copied`, `converted`, `sum` with its factors, `scale`, `marker`
      package let made: String
    }

    package let sources: [String]
    package let family: String
    package let evidence: [String]
    package let pruned: [String: [String]]
    package let onlyInFirst: [String]
    package let notInFirst: [String]
    package let warnings: [String]
    package let outputs: [Output]
  }

  package var overview: Overview {
    Overview(
      sources: sources.map(\.file.path.string), family: sources[0].layout.family.name,
      evidence: sources[0].layout.evidence, pruned: pruned, onlyInFirst: onlyInFirst,
      notInFirst: notInFirst, warnings: notices,
      outputs: outputs.map {
        Overview.Output(
          tensor: $0.info.name, dtype: $0.info.dtype.rawValue, shape: $0.info.shape.dimensions,
          made: $0.description)
      })
  }
}

extension CheckpointOutput {
  fileprivate var description: String {
    switch content {
    case .copied: "copied"
    case .converted: "converted"
    case .sum(let terms, let columns):
      terms.map { "\($0.coefficient)" }.joined(separator: " ")
        + (columns == nil ? "" : ", the rest of the first")
    case .scale: "scale"
    case .made: "marker"
    }
  }
}
