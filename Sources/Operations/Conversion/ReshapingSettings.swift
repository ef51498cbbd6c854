package import Adapters
package import Checkpoints
import LinearAlgebra
import Tensors

/// Which algorithm and rank the modules of an adapter are to have.
package struct ReshapingSettings: Sendable {
  /// What modules are to become.
  package enum Target: Sendable {
    case algorithm(any ExtractableAlgorithm.Type)
    /// The change itself, as `diff`.
    case full

    var name: String {
      switch self {
      case .algorithm(let algorithm): algorithm.name
      case .full: Full.name
      }
    }

    /// Whether DoRA's magnitudes can stand beside it.
    var takesMagnitudes: Bool {
      switch self {
      case .algorithm(let algorithm): WeightDecomposition<Tensor>.wraps(algorithm)
      case .full: false
      }
    }
  }

  /// How the rank of a module is chosen.
  package struct Ranks: Equatable, Sendable {
    package var policy: RankPolicy
    /// The highest rank, whatever the policy asks for.
    package var limit: Int?

    package init(_ policy: RankPolicy, limit: Int? = nil) {
      self.policy = policy
      self.limit = limit
    }

    /// Whether a module of so low a rank stays as it is.
    func allow(_ rank: Int) -> Bool {
      if case .fixed(let wanted) = policy { return rank <= wanted }
      return false
    }
  }

  /// nil keeps the algorithm of each module.
  package var target: Target?
  /// Of linear layers and 1×1 convolutions; nil keeps ranks.
  package var linear: Ranks?
  /// Of convolutions with a kernel; nil keeps ranks.
  package var convolution: Ranks?
  /// Largest number of bytes of all tensors together, with ranks where a byte removes most error; nil
  /// for no such bound.
  package var sizeLimit: Int?
  /// The rank to which a DyLoRA is cut; nil for all of it.
  package var slice: Int?
  /// Whether DoRA's magnitudes become part of the change.
  package var bakesMagnitudes = false
  /// Whether DoRA by outputs becomes DoRA by inputs, which programs with a window read.
  var turnsMagnitudes = false
  /// Everything about factors but the format, which is that of each module.
  package var factorization = FactorizationSettings(allowsFull: false)
  /// The checkpoint that the adapter is for, where an algorithm depends on its weights.
  package var base: BaseModel?

  package init() {}

  var changesNothing: Bool {
    target == nil && linear == nil && convolution == nil && sizeLimit == nil && slice == nil
      && !bakesMagnitudes && !turnsMagnitudes
  }
}
