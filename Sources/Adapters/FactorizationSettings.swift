package import LinearAlgebra
package import Tensors

/// How a delta becomes the factors of a module.
package struct FactorizationSettings: Sendable {
  package var method: SVDMethod
  package var seed: UInt64
  /// Format in which factors are stored.
  package var storage: DType
  /// Split the kernel of a convolution off into a core, see `LoRA`.
  package var tucker: Bool
  /// Keep the largest entries of what the factors leave out; the share that is *not* kept.
  package var residualSparsity: Double?
  /// Store the delta itself where factors of the chosen rank would take no fewer bytes.
  package var allowsFull: Bool
  /// LoRA: the highest rank, whatever a policy asks for; nil for no such bound.
  package var maximumRank: Int?
  /// LoKr: the smaller part of each extent as in `KroneckerLayout`; nil to try those there are.
  package var factor: Int?
  /// LoKr: w1 as a product too, where that is smaller.
  package var decomposesBoth = false
  /// LoKr: the larger part of the outputs goes to w1.
  package var isUnbalanced = false
  /// (IA)³: which side is scaled; nil for the one that fits better.
  package var scaledSide: WeightDecomposition<Tensor>.Axis?
  /// OFT and BOFT: also a factor for every output.
  package var rescales = false
  /// DoRA: which magnitudes are stored apart; nil for none.
  package var magnitudes: WeightDecomposition<Tensor>.Axis?

  package init(
    method: SVDMethod = .auto, seed: UInt64 = 0, storage: DType = .f16, tucker: Bool = false,
    residualSparsity: Double? = nil, allowsFull: Bool = true
  ) {
    self.method = method
    self.seed = seed
    self.storage = storage
    self.tucker = tucker
    self.residualSparsity = residualSparsity
    self.allowsFull = allowsFull
  }

  /// Bytes of so many stored numbers.
  package func byteCount(of count: Int) -> Int { count * storage.bitsPerElement / 8 }
}
