/// How a new adapter of one layer is shaped.
package struct AdapterSettings: Sendable {
  package var rank: Int
  /// nil for alpha = rank.
  package var alpha: Float?
  /// Split the kernel of a convolution off into a core.
  package var usesTucker = false
  /// A trained number, from 0, multiplies the change: then no factor has to start from zero.
  package var usesScalar = false
  /// LoKr: the smaller part of each extent, -1 for the most even division.
  package var factor = -1
  /// LoKr: w1 as a product too.
  package var decomposesBoth = false
  /// LoKr: neither w1 nor w2 as a product.
  package var usesFullMatrix = false
  /// LoKr: the larger part of the outputs goes to w1.
  package var isUnbalanced = false
  /// DyLoRA: ranks that are trained together.
  package var blockSize = 4
  /// OFT and BOFT: a trained factor for every row.
  package var rescales = false
  /// OFT and BOFT: the norm of the generators per output, 0 for no bound.
  package var constraint: Float = 0
  /// (IA)³: scale inputs rather than outputs.
  package var scalesInput = false

  package init(rank: Int, alpha: Float? = nil) {
    self.rank = rank
    self.alpha = alpha
  }

  /// alpha / rank
  var scale: Float { adapterScale(alpha: alpha, rank: rank) }
}
