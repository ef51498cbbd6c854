/// What an extraction did, module by module, as `--report` writes it.
package struct ExtractionReport: Codable, Sendable {
  package struct Module: Codable, Sendable {
    /// Key prefix in the adapter.
    package let name: String
    /// The part of the model: `unet` (any denoiser), `te1`, …
    package let component: String
    /// Dotted name that patterns see.
    package let path: String
    package let key: String
    package let shape: [Int]
    /// `weight`, `bias`, `norm` or `normBias`.
    package let part: String
    package let algorithm: String
    package let rank: Int?
    /// What else was chosen: `factor 8`, `input`.
    package let detail: String?
    /// Steps of an iterative method.
    package let iterations: Int?
    package let bytes: Int
    /// ‖Δ‖_F
    package let deltaNorm: Double
    /// Share of ‖Δ‖²_F that the adapter holds.
    package let keptEnergy: Double
    /// ‖Δ − Δ'‖_F / ‖Δ‖_F
    package let relativeError: Double
    /// ‖Δ − Δ'‖_F
    package let error: Double
    /// nil where the inputs of the layer are not known.
    package let output: Output?
  }

  /// What the change of a module does to its outputs, and what of that its factors miss.
  package struct Output: Codable, Sendable {
    /// √E‖Δ·x‖² over the places of a sample.
    package let change: Double
    /// √E‖(Δ − Δ')·x‖²
    package let error: Double
    package let relativeError: Double
    /// Its share of the squared errors of all modules: without the adapter, and with it.
    package let shareBefore: Double
    package let shareAfter: Double
  }

  /// A parameter that changed and is not in the adapter.
  package struct Lost: Codable, Sendable {
    package let key: String
    /// First and last row where only some rows are meant.
    package let rows: [Int]?
    package let reason: String
    /// ‖tuned − base‖_F; nil where it has no meaning: other shapes, formats without arithmetic.
    package let change: Double?
    /// The same relative to ‖base‖_F.
    package let relativeChange: Double?
  }

  package struct Totals: Codable, Sendable {
    package var modules = 0
    /// Selected parameters that are equal in both checkpoints.
    package var unchanged = 0
    package var bytes = 0
    /// ‖Δ‖_F over everything in the adapter.
    package var deltaNorm = 0.0
    package var keptEnergy = 1.0
    package var relativeError = 0.0
    /// Modules whose error is above the bound that was asked for, because their algorithm cannot
    /// reach it.
    package var aboveBound = 0
    /// ‖merged − tuned‖_F over the whole checkpoint, before rounding to its format: what the
    /// adapter approximates and what it leaves out.
    package var distance = 0.0
    /// √(Σ E‖(Δ − Δ')·x‖² / Σ E‖Δ·x‖²) over the modules whose inputs are known; nil where none are.
    package var outputError: Double?
    package var seconds = 0.0
  }

  package let base: String
  package let tuned: String
  package let family: String
  package let evidence: [String]
  package let mode: String
  package let storage: String
  package let seed: UInt64
  package let modules: [Module]
  package let leftOut: [Lost]
  /// Patterns and parts of a preset that selected nothing.
  package let warnings: [String]
  package let totals: Totals
  /// What other sizes of the file would have come to.
  package let curve: ErrorCurve
  /// What errors were weighed by: a file, or the model that ran.
  package let statistics: String?
  /// The options of the command, as they were read.
  package var options: [String] = []
}
