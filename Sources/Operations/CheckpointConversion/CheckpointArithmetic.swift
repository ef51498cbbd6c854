import Checkpoints
import ModelFamilies
package import Patterns

/// How numbers of several checkpoints become one: Σ cᵢ · Wᵢ.
///
/// A checkpoint that lacks a tensor counts as if it had that of the first, as in kohya's
/// `merge_models.py`.
package struct CheckpointArithmetic {
  package enum Method: String, Sendable, Codable {
    /// Σ rᵢ · Wᵢ
    case weightedSum = "weighted_sum"
    /// A + m (B − C)
    case addDifference = "add_difference"
  }

  /// Ratios for the tensors whose key, or whose module's dotted name, matches a pattern.
  package struct PatternRatios {
    package let pattern: NamePattern
    package let ratios: [Float]

    package init(_ pattern: NamePattern, _ ratios: [Float]) {
      self.pattern = pattern
      self.ratios = ratios
    }
  }

  package var method: Method
  /// One for each checkpoint; or one number, which is the share of the second of two, and m of a
  /// difference. Empty for equal shares, and m = 1.
  package var ratios: [Float]
  /// Other ratios for components, in the same form.
  package var denoiserRatios: [Float]
  package var textEncoderRatios: [Float]
  package var autoencoderRatios: [Float]
  /// Go before ratios of components; the last that matches counts.
  package var patternRatios: [PatternRatios]
  /// Whether all but the denoiser is that of the first.
  package var mergesDenoiserOnly: Bool

  package init(
    method: Method = .weightedSum, ratios: [Float] = [], denoiserRatios: [Float] = [],
    textEncoderRatios: [Float] = [], autoencoderRatios: [Float] = [],
    patternRatios: [PatternRatios] = [], mergesDenoiserOnly: Bool = false
  ) {
    self.method = method
    self.ratios = ratios
    self.denoiserRatios = denoiserRatios
    self.textEncoderRatios = textEncoderRatios
    self.autoencoderRatios = autoencoderRatios
    self.patternRatios = patternRatios
    self.mergesDenoiserOnly = mergesDenoiserOnly
  }

  /// How many ratios a list may have.
  package func counts(sources: Int) -> Set<Int> {
    switch method {
    case .weightedSum: sources == 2 ? [0, 1, 2] : [0, sources]
    case .addDifference: [0, 1]
    }
  }

  /// The factor of each checkpoint.
  /// - Parameters:
  ///   - names: key and dotted names of the tensor.
  ///   - role: of what the tensor is part of; nil where that is no model.
  func coefficients(
    for names: [String], role: ComponentRole?, sources: Int
  ) -> [Float] {
    if let last = patternRatios.last(where: { names.contains(where: $0.pattern.matches) }) {
      return coefficients(last.ratios, sources)
    }
    if mergesDenoiserOnly && role != .denoiser {
      return [1] + [Float](repeating: 0, count: sources - 1)
    }
    let own: [Float] =
      switch role {
      case .denoiser: denoiserRatios
      case .autoencoder: autoencoderRatios
      case .text: textEncoderRatios
      case .connector, nil: []
      }
    return coefficients(own.isEmpty ? ratios : own, sources)
  }

  private func coefficients(_ ratios: [Float], _ sources: Int) -> [Float] {
    switch method {
    case .addDifference:
      let factor = ratios.first ?? 1
      return [1, factor, -factor]
    case .weightedSum:
      if ratios.isEmpty { return [Float](repeating: 1 / Float(sources), count: sources) }
      return ratios.count == 1 && sources == 2 ? [1 - ratios[0], ratios[0]] : ratios
    }
  }
}
