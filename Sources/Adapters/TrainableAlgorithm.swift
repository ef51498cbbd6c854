package import Tensors

/// An algorithm in which a new adapter can be trained: what a trainer has to know of it beside its formula.
///
/// An `AdapterAlgorithm` that says no more than that it conforms is trained through W' of its formula, from its first
/// factors, all of which learn. Where its factors can be applied to activations one after another, `Training` has a
/// conformance to `ActivationForm` for it.
package protocol TrainableAlgorithm: Sendable {
  /// As `algo=` of `--network_args` says it.
  static var name: String { get }

  /// Other words for it.
  static var aliases: [String] { get }

  /// What the trained factors are merged by, and a file of them is recognized as.
  static var formula: any AdapterAlgorithm.Type { get }

  /// The options that mean something to it; `moduleDropout` does to all.
  static var trainingOptions: Set<TrainingOption> { get }

  /// What `--network_dim` and `--network_alpha` are to it.
  static var rankUse: RankUse { get }

  /// What `--scale_weight_norms` bounds, and how; nil where it has no say, as in LyCORIS.
  static var normLimit: NormLimit? { get }

  /// Suffix of the factor that LoRA+ has learn faster, or the beginning of several; nil for none.
  static var fasterFactor: String? { get }

  /// Whether the weight itself is trained, and its bias, of which a file has the differences.
  static var trainsWeight: Bool { get }

  /// Suffix of the change of the bias that is trained beside the weight; nil where the bias stays.
  static var trainedBias: String? { get }

  /// Whether convolutions whose kernel has an extent have a form in it.
  static var adaptsKernels: Bool { get }

  /// The factor that begins as singular vectors of the weight, one row for each rank: making first factors
  /// takes a decomposition of every weight then. nil where it takes nothing of the kind.
  static var decomposedFactor: String? { get }

  /// The preset of LyCORIS that it is meant for; nil for any.
  static var preset: String? { get }

  /// Whether a module may come out without a product of low rank, whose scale is then 1.
  static var mayLackScale: Bool { get }

  /// How many numbers the factors of a weight hold, about.
  static func parameterCount(for weight: Shape, rank: Int) -> Int

  /// Matrices of the size of the weight that wait for the backward pass where ΔW or W' is formed, itself among them.
  static func keptMatrices(for weight: Shape, rank: Int) -> Int

  /// That a weight of that shape can have first factors.
  /// - Throws: `AdapterError.settings`
  static func checkFirstFactors(for weight: Shape, _ settings: AdapterSettings) throws(AdapterError)

  /// Tensors of the formula that are never trained nor stored, made from the first factors.
  static func constants(of first: Factors<Tensor>) -> [String: Tensor]

  /// alpha as a reader of the file has to have it; nil where the file needs none.
  /// - Parameter settings: those that the first factors were made by.
  static func storedAlpha(of first: Factors<Tensor>, _ settings: AdapterSettings) -> Float?

  /// Takes over the form that a module of a file has, its rank and alpha aside where they scale it.
  /// - Parameters:
  ///   - value: the tensor of a suffix, where shapes do not tell all.
  ///   - weight: shape of the one that the module changes.
  static func adopt(
    _ shapes: [String: Shape], _ value: (String) -> Tensor?, of weight: Shape,
    into settings: inout AdapterSettings)

  /// Factors as LyCORIS' training stores them for a weight of shape `base`.
  static func stored(_ factors: [String: Tensor], for base: Shape) -> [String: Tensor]
}

/// What rank and alpha are to an algorithm.
package enum RankUse: Sendable {
  /// The change is scaled by alpha / rank.
  case scale
  /// The rank is the extent of the blocks of a rotation; alpha says nothing.
  case blockExtent
  /// Neither says anything.
  case nothing
}

/// What `--scale_weight_norms` bounds.
package enum NormLimit: Sendable {
  /// ‖ΔW‖_F, by scaling these factors.
  case change(ScaledFactors)
  /// The Frobenius norm of one factor itself.
  case factor(String)

  package enum ScaledFactors: Sendable {
    /// The trained scalar, or the factors that carry the scale where there is none.
    case carriers
    /// All, each by the same share.
    case all
    /// One, or several that begin so.
    case one(String)
  }
}

extension TrainableAlgorithm where Self: AdapterAlgorithm {
  package static var formula: any AdapterAlgorithm.Type { Self.self }
}

extension TrainableAlgorithm {
  package static var trainingOptions: Set<TrainingOption> { [] }
  package static var rankUse: RankUse { .scale }
  package static var normLimit: NormLimit? { nil }
  package static var fasterFactor: String? { nil }
  package static var trainsWeight: Bool { false }
  package static var trainedBias: String? { nil }
  package static var adaptsKernels: Bool { true }
  package static var decomposedFactor: String? { nil }
  package static var preset: String? { nil }
  package static var mayLackScale: Bool { false }

  /// One product of that rank.
  package static func parameterCount(for weight: Shape, rank: Int) -> Int {
    rank * (weight.rows + weight.columns)
  }

  package static func keptMatrices(for weight: Shape, rank: Int) -> Int { 1 }

  package static func checkFirstFactors(
    for weight: Shape, _ settings: AdapterSettings
  ) throws(AdapterError) {}

  package static func constants(of first: Factors<Tensor>) -> [String: Tensor] { [:] }

  package static func storedAlpha(
    of first: Factors<Tensor>, _ settings: AdapterSettings
  ) -> Float? {
    switch rankUse {
    case .scale: settings.alpha
    case .blockExtent, .nothing: first.alpha
    }
  }

  package static func adopt(
    _ shapes: [String: Shape], _ value: (String) -> Tensor?, of weight: Shape,
    into settings: inout AdapterSettings
  ) {}

  /// Whether ΔW does not depend on W.
  package static var isAdditive: Bool { formula is any AdditiveAlgorithm.Type }

  /// Whether it is what normalization layers get, which `train_norm` asks for rather than `algo=`.
  package static var isOfNorms: Bool { formula == Norm.self }
}
