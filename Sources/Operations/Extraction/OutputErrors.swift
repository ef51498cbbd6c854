import Adapters

/// What all modules whose inputs are known make of outputs.
struct OutputErrors {
  private let change: Double
  private let error: Double

  init(of results: [Factorization]) {
    let known = results.filter { $0.weights != nil }
    change = known.reduce(0) { $0 + $1.energy }
    error = known.reduce(0) { $0 + $1.squaredError }
  }

  /// nil where no inputs are known, or none of them sees a change.
  var relativeError: Double? { change > 0 ? (error / change).squareRoot() : nil }

  /// nil where a module's inputs are not known.
  func of(_ result: Factorization) -> ExtractionReport.Output? {
    guard result.weights != nil else { return nil }
    return ExtractionReport.Output(
      change: result.energy.squareRoot(), error: result.squaredError.squareRoot(),
      relativeError: result.relativeError,
      shareBefore: change > 0 ? result.energy / change : 0,
      shareAfter: error > 0 ? result.squaredError / error : 0)
  }
}

extension ExtractionReport.Module {
  /// - Parameter weights: errors of the change itself.
  init(
    name: String, component: String, path: String, key: String, shape: [Int], part: String,
    algorithm: String, rank: Int?, detail: String?, iterations: Int?, bytes: Int,
    weights: Factorization.WeightError, output: ExtractionReport.Output?
  ) {
    let (energy, squaredError) = (weights.energy, weights.squaredError)
    self.init(
      name: name, component: component, path: path, key: key, shape: shape, part: part,
      algorithm: algorithm, rank: rank, detail: detail, iterations: iterations, bytes: bytes,
      deltaNorm: energy.squareRoot(), keptEnergy: energy > 0 ? 1 - squaredError / energy : 1,
      relativeError: energy > 0 ? (squaredError / energy).squareRoot() : 0,
      error: squaredError.squareRoot(), output: output)
  }
}
