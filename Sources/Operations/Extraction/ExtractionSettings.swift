package import Adapters
package import Checkpoints
import LinearAlgebra
package import Tensors

/// What `lyco-extract` is asked to do with a pair of checkpoints.
package struct ExtractionSettings {
  /// How ranks are chosen.
  package enum Ranks: Equatable, Sendable {
    /// By a policy of their own for linear layers (1×1 convolutions included) and for convolutions.
    case perModule(linear: RankPolicy, convolution: RankPolicy)
    /// So that the file holds at most so many bytes and the least squared error.
    case withinBytes(Int)
  }

  package var ranks: Ranks
  /// What a weight's change may become: one algorithm, or several of which the best for its bytes is
  /// taken.
  package var algorithms: [any ExtractableAlgorithm.Type]
  /// Whether changes of weights are stored, or only those of normalization layers.
  package var selectsWeights: Bool
  package var factorization: FactorizationSettings
  /// nil: in the format of the checkpoints, or what a whole delta needs to be exact.
  package var storage: DType?
  /// nil: every layer of denoiser and text encoders.
  package var preset: Preset?
  package var filter: ModuleFilter
  /// Whether changes of normalization layers are stored.
  package var norms: Bool
  /// Whether changes of biases are stored.
  package var biases: Bool
  /// Whether errors of outputs are made small, for which the plan is given statistics of inputs.
  package var weighsOutputs = false
  /// The program that is to load the adapter; nil for none in particular.
  package var reader: AdapterReader?
  /// How many modules are worked on at a time.
  package var threads: Int

  package init(
    ranks: Ranks, algorithms: [any ExtractableAlgorithm.Type] = [LoRA.self],
    selectsWeights: Bool = true,
    factorization: FactorizationSettings = .init(), storage: DType? = nil,
    preset: Preset? = nil, filter: ModuleFilter, norms: Bool = false, biases: Bool = false,
    threads: Int
  ) {
    self.ranks = ranks
    self.algorithms = algorithms
    self.selectsWeights = selectsWeights
    self.factorization = factorization
    self.storage = storage
    self.preset = preset
    self.filter = filter
    self.norms = norms
    self.biases = biases
    self.threads = threads
  }
}
