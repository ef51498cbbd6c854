import Checkpoints

/// What a file is and holds; the JSON form of everything that an inspection says.
package struct InspectionReport: Codable, Sendable {
  package struct Family: Codable, Sendable {
    /// As `--family` takes it.
    package let name: String
    package let title: String
    /// What speaks for it, a sentence each.
    package let evidence: [String]
  }

  /// Tensors that have something in common.
  package struct Total: Codable, Sendable {
    /// What they have in common: a dtype, a component.
    package let name: String
    package internal(set) var tensors = 0
    package internal(set) var parameters = 0
    package internal(set) var bytes = 0
  }

  /// Weights that are stored as codes of one kind.
  package struct Quantized: Codable, Sendable {
    package let name: String
    package let weights: Int
    /// The first of them.
    package let first: String
    /// Why their numbers are not read; nil where they are.
    package let refusal: String?

    static func list(of quantized: QuantizedWeights) -> [Quantized] {
      struct Kind: Hashable { let name: String, isRefused: Bool }
      return Dictionary(grouping: quantized.weights.values) {
        Kind(name: $0.quantization.name, isRefused: $0.refusal != nil)
      }.compactMap { kind, weights in
        weights.min { $0.key < $1.key }.map {
          Quantized(
            name: kind.name, weights: weights.count, first: $0.key, refusal: $0.refusal)
        }
      }.sorted { ($0.name, $0.first) < ($1.name, $1.first) }
    }
  }

  package struct Key: Codable, Sendable {
    package let name: String
    package let dtype: String
    package let shape: [Int]
    package let bytes: Int
  }

  /// A finding means that the file is broken or not what it says; a note is worth knowing.
  package struct Check: Codable, Sendable {
    package internal(set) var findings: [String] = []
    /// What to do about each finding, in their order.
    package internal(set) var advice: [String] = []
    package internal(set) var notes: [String] = []

    /// Adds findings about which the same is to be done.
    mutating func find(_ texts: [String], _ advice: CheckAdvice) {
      findings += texts
      self.advice += texts.map { _ in advice.rawValue }
    }
  }

  package let file: String
  /// How it lies on disk.
  package let storage: String
  package let kind: InspectedKind
  /// What speaks for the kind, a sentence.
  package let kindEvidence: String
  package let family: Family?
  /// Over all tensors.
  package let total: Total
  /// Of all its files, headers included.
  package let fileBytes: Int
  package let dtypes: [Total]
  package let components: [Total]
  package let quantizations: [Quantized]
  package let adapter: AdapterSummary?
  package let cache: CacheSummary?
  package let training: TrainingSummary?
  /// All of it, as it stands in the file.
  package let metadata: [String: String]
  package internal(set) var notes: [String] = []

  // What was asked for.
  package var keys: [Key]?
  package var statistics: [TensorStatistics]?
  package var spectra: [Spectrum]?
  package var check: Check?
  package var match: BaseMatch?
  package var reading: AdapterReading?
  package var difference: FileDifference?
}

/// What a file is for.
package enum InspectedKind: String, Codable, Sendable {
  case checkpoint
  case adapter
  case latentCache = "latent cache"
  case textCache = "text encoder cache"
  case embedding
  case unknown
}
