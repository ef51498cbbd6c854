/// What became of an adapter's modules, as `--report` writes it.
package struct ReshapingReport: Codable, Sendable {
  package struct Module: Codable, Sendable {
    package let name: String
    package let algorithmBefore: String
    package let algorithm: String
    package let rankBefore: Int?
    /// nil where the change is stored whole.
    package let rank: Int?
    /// What else was chosen: `factor 8`, `input`.
    package let detail: String?
    /// ‖Δ‖_F
    package let deltaNorm: Double
    /// ‖Δ − Δ'‖_F / ‖Δ‖_F, as stored.
    package let relativeError: Double
    /// Share of ‖Δ‖²_F that is left.
    package let keptEnergy: Double
    /// Σ of the singular values that are left over Σ of all; nil where not all are known.
    package let keptSum: Double?
    /// Root of the same ratio of squares: kohya's `fro`; nil where not all are known.
    package let keptNorm: Double?
    /// The largest singular value over the smallest that is left; nil where not all are known.
    package let largestRatio: Double?
    package let bytes: Int
  }

  package struct Totals: Codable, Sendable {
    /// Modules with other factors than before.
    package var changed = 0
    package var unchanged = 0
    package var leftOut = 0
    /// Over the modules that changed and those that were left out, as are the next two.
    package var deltaNorm = 0.0
    package var relativeError = 0.0
    package var keptEnergy = 1.0
    /// Mean and standard deviation of `keptNorm` over the modules; nil where no module has one.
    package var meanKeptNorm: Double?
    package var deviationOfKeptNorm: Double?
    /// Of the changed modules.
    package var bytes = 0
  }

  /// Those that changed, in the order of the adapter.
  package let modules: [Module]
  package let leftOut: [LeftOutModule]
  package let totals: Totals

  /// Of modules that were turned earlier, and of all that came after.
  func joined(to earlier: ReshapingReport?) -> ReshapingReport {
    guard let earlier else { return self }
    return ReshapingReport(
      earlier.modules + modules,
      unchanged: max(totals.unchanged - earlier.modules.count, 0) + earlier.totals.unchanged,
      leftOut: earlier.leftOut + leftOut)
  }

  /// ‖Δ − Δ'‖_F / ‖Δ‖_F over some modules, to three decimals; nil where none of them changed.
  func relativeError(of names: Set<String>) -> Double? {
    let some = modules.filter { names.contains($0.name) }
    let energy = some.reduce(0) { $0 + $1.deltaNorm * $1.deltaNorm }
    guard energy > 0 else { return nil }
    let squares = some.reduce(0) { sum, module in
      let error = module.deltaNorm * module.relativeError
      return sum + error * error
    }
    return ((squares / energy).squareRoot() * 1000).rounded() / 1000
  }

  init(_ modules: [Module], unchanged: Int, leftOut: [LeftOutModule]) {
    self.modules = modules
    self.leftOut = leftOut
    var totals = Totals(changed: modules.count, unchanged: unchanged, leftOut: leftOut.count)
    let lost = leftOut.reduce(0) { $0 + ($1.deltaNorm ?? 0) * ($1.deltaNorm ?? 0) }
    let energy = modules.reduce(lost) { $0 + $1.deltaNorm * $1.deltaNorm }
    let squaredError = modules.reduce(lost) { sum, module in
      let error = module.deltaNorm * module.relativeError
      return sum + error * error
    }
    totals.deltaNorm = energy.squareRoot()
    totals.relativeError = energy > 0 ? (squaredError / energy).squareRoot() : 0
    totals.keptEnergy = energy > 0 ? 1 - squaredError / energy : 1
    totals.bytes = modules.reduce(0) { $0 + $1.bytes }
    let norms = modules.compactMap(\.keptNorm)
    if !norms.isEmpty {
      let mean = norms.reduce(0, +) / Double(norms.count)
      let variance = norms.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(norms.count)
      totals.meanKeptNorm = mean
      totals.deviationOfKeptNorm = variance.squareRoot()
    }
    self.totals = totals
  }
}
