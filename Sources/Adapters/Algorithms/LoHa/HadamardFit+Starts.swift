import LinearAlgebra
import Tensors

extension HadamardFit {
  /// The better of two starts after a few sweeps of each, as a sample of the matrix tells it where that
  /// is large; never one that leaves more than the truncated SVD.
  /// - Throws: `LinearAlgebraError`, where a singular value decomposition does.
  init(
    betterFor target: Tensor, energy: Double, rank: Int, settings: FactorizationSettings
  ) throws(LinearAlgebraError) {
    self = try Self.better(for: target, energy: energy, rank: rank, settings: settings)
  }

  private static func better(
    for target: Tensor, energy: Double, rank: Int, settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> HadamardFit {
    func fit(from start: Start) throws(LinearAlgebraError) -> HadamardFit {
      switch start {
      case .plain:
        try HadamardFit(plainFor: target, energy: energy, rank: rank, settings: settings)
      case .roots:
        try HadamardFit(rootsOf: target, energy: energy, rank: rank, settings: settings)
      }
    }
    // Of rank 1 the product of two is of rank 1 too, and the SVD the best of those.
    guard rank > 1 else { return try fit(from: .plain) }
    let sample = WeightChange(target).sample(rows: sampleExtent, columns: sampleExtent)
    guard sample.shape.count < target.count, sample.energy > 0 else {
      let (plain, roots) = (try fit(from: .plain), try fit(from: .roots))
      return roots.error < plain.error ? roots : plain
    }
    let start = try better(
      for: sample.matrix, energy: sample.energy, rank: rank, settings: settings
    ).start
    let found = try fit(from: start)
    guard start == .roots else { return found }
    let plain = try target.truncatedSVD(
      rank: rank, method: settings.method, seed: settings.seed, energy: energy)
    let kept = plain.s.reduce(0.0) { $0 + Double($1) * Double($1) }
    return found.error <= 1 - kept / energy ? found : try fit(from: .plain)
  }

  /// Rows and columns of a sample.
  private static let sampleExtent = 320
  /// Sweeps by which starts are compared.
  private static let trial = 6

  /// A few sweeps from the truncated SVD of Δ, which is LoRA of the same rank, and a second product
  /// of ones alone: its other right vectors are random and their left ones 0, free to grow.
  private init(
    plainFor target: Tensor, energy: Double, rank: Int, settings: FactorizationSettings
  ) throws(LinearAlgebraError) {
    let first = try target.balancedProduct(rank: rank, energy: energy, settings)
    let rank = first.left.shape.columns
    var generator = SeededGenerator(seed: settings.seed)
    var left = Tensor(zeros: [target.shape.rows, rank])
    var right = Tensor(
      normal: [target.shape.columns, rank], deviation: 1, using: &generator)
    for row in 0..<left.shape.rows where rank > 0 { left.elements[row * rank] = 1 }
    for row in 0..<right.shape.rows where rank > 0 { right.elements[row * rank] = 1 }
    self.init(target, energy: energy, from: first, Product(left, right), start: .plain)
    run(until: Self.trial, tolerance: 0)
  }

  /// A few sweeps from the truncated SVDs of sign(Δ)·|Δ|^½ and |Δ|^½, whose product is Δ.
  private init(
    rootsOf target: Tensor, energy: Double, rank: Int, settings: FactorizationSettings
  ) throws(LinearAlgebraError) {
    var magnitude = target
    var signed = target
    do {
      var magnitude = magnitude.elements.mutableSpan
      var signed = signed.elements.mutableSpan
      for i in magnitude.indices {
        let value = magnitude[i]
        let root = abs(value).squareRoot()
        magnitude[i] = root
        signed[i] = value < 0 ? -root : root
      }
    }
    self.init(
      target, energy: energy,
      from: try signed.balancedProduct(rank: rank, energy: nil, settings),
      try magnitude.balancedProduct(rank: rank, energy: nil, settings), start: .roots)
    run(until: Self.trial, tolerance: 0)
  }
}

extension Tensor {
  /// The truncated SVD with the singular values shared out evenly.
  fileprivate func balancedProduct(
    rank: Int, energy: Double?, _ settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> HadamardFit.Product {
    let svd = try truncatedSVD(
      rank: rank, method: settings.method, seed: settings.seed, energy: energy)
    return HadamardFit.Product(balancing: svd)
  }
}
