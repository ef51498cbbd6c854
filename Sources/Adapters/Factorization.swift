package import Tensors

/// What an extraction found for one module: tensors as they will be stored, and how good they are.
package struct Factorization: Sendable {
  package struct Factor: Sendable {
    package let suffix: String
    package let tensor: EncodedTensor

    package init(suffix: String, tensor: EncodedTensor) {
      self.suffix = suffix
      self.tensor = tensor
    }
  }

  /// Name of the algorithm whose suffixes `factors` carry.
  package let algorithm: String
  /// Tensors by canonical suffix, alpha included.
  package var factors: [Factor]
  /// nil where the delta is stored whole.
  package let rank: Int?
  /// ‖Δ‖²_F of the delta; of what it does to outputs, where inputs are known.
  package let energy: Double
  /// ‖Δ − Δ'‖²_F, where Δ' is what a reader of the stored factors computes.
  package let squaredError: Double
  /// How many steps an iterative method took; nil for a closed form.
  package let iterations: Int?
  /// What else was chosen: `factor 8`, `input`.
  package let detail: String?
  /// All singular values of the change, descending, where the method finds them.
  package var spectrum: [Float]?
  /// The same of the weights, where `energy` and `squaredError` are those of outputs.
  package var weights: WeightError?

  package struct WeightError: Equatable, Sendable {
    package let energy: Double
    package let squaredError: Double

    package init(energy: Double, squaredError: Double) {
      self.energy = energy
      self.squaredError = squaredError
    }
  }

  /// Of the weights, whatever else is known.
  package var weightError: WeightError {
    weights ?? WeightError(energy: energy, squaredError: squaredError)
  }

  /// The leading singular values of the change, descending, as many as the method found on the way; empty where its
  /// error does not follow from them.
  package var leading: [Float] = []

  package init(
    algorithm: String, factors: [Factor], rank: Int?, energy: Double, squaredError: Double,
    iterations: Int? = nil, detail: String? = nil
  ) {
    self.algorithm = algorithm
    self.factors = factors
    self.rank = rank
    self.energy = energy
    self.squaredError = squaredError
    self.iterations = iterations
    self.detail = detail
  }

  /// ‖Δ − Δ'‖_F / ‖Δ‖_F
  package var relativeError: Double {
    energy > 0 ? (squaredError / energy).squareRoot() : 0
  }

  /// The share of ‖Δ‖²_F that the factors hold.
  package var keptEnergy: Double { energy > 0 ? 1 - squaredError / energy : 1 }

  package var byteCount: Int { factors.reduce(0) { $0 + $1.tensor.bytes.count } }
}
