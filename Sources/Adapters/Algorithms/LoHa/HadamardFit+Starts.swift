import LinearAlgebra
import Tensors

extension HadamardFit {
  /// The better of two starts after a few sweeps of each, as a sample of the matrix tells it where that
  /// is large. One that leaves more than the truncated SVD is not taken: what is found is compared with that, unless
  /// the sample leaves no doubt.
  /// - Throws: `LinearAlgebraError`, where a singular value decomposition does.
  init(
    betterFor target: Tensor, energy: Double, rank: Int, settings: FactorizationSettings
  ) throws(LinearAlgebraError) {
    func fit(from start: Start) throws(LinearAlgebraError) -> HadamardFit {
      try HadamardFit(start, for: target, energy: energy, rank: rank, settings: settings)
    }
    // Of rank 1 the product of two is of rank 1 too, and the SVD the best of those.
    guard rank > 1 else {
      self = try fit(from: .plain)
      return
    }
    let sample = WeightChange(target).sample(rows: Self.sampleExtent, columns: Self.sampleExtent)
    guard sample.shape.count < target.count, sample.energy > 0 else {
      let (plain, roots) = (try fit(from: .plain), try fit(from: .roots))
      self = roots.error < plain.error ? roots : plain
      return
    }
    func sampled(from start: Start) throws(LinearAlgebraError) -> Double {
      try HadamardFit(
        start, for: sample.matrix, energy: sample.energy, rank: rank, settings: settings
      ).error
    }
    let (plain, roots) = (try sampled(from: .plain), try sampled(from: .roots))
    let isPlain = plain <= roots
    let found = try fit(from: isPlain ? .plain : .roots)
    let isClear = roots <= (1 - Self.doubt) * plain
    guard !isPlain, !isClear else {
      self = found
      return
    }
    let svd = try target.truncatedSVD(
      rank: rank, method: settings.method, seed: settings.seed, energy: energy)
    let kept = svd.s.reduce(0.0) { $0 + Double($1) * Double($1) }
    self = found.error <= 1 - kept / energy ? found : try fit(from: .plain)
  }

  private init(
    _ start: Start, for target: Tensor, energy: Double, rank: Int, settings: FactorizationSettings
  ) throws(LinearAlgebraError) {
    switch start {
    case .plain:
      try self.init(plainFor: target, energy: energy, rank: rank, settings: settings)
    case .roots:
      try self.init(rootsOf: target, energy: energy, rank: rank, settings: settings)
    }
  }

  /// Rows and columns of a sample.
  private static let sampleExtent = 320
  /// By what part of the squared error the roots must be better in a sample to be so without a doubt.
  private static let doubt = 0.03
  /// Sweeps by which starts are compared.
  private static let trial = 6

  private mutating func begin() {
    if target.count < LoHa.largeCount {
      run(until: Self.trial, tolerance: 0)
    } else {
      run(until: Self.trial, promising: LoHa.promise)
    }
  }

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
    begin()
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
      from: try signed.balancedProduct(rank: rank, energy: nil, settings, SketchTolerance.rough),
      try magnitude.balancedProduct(rank: rank, energy: nil, settings, SketchTolerance.rough),
      start: .roots)
    begin()
  }
}

extension Tensor {
  /// The truncated SVD with the singular values shared out evenly.
  fileprivate func balancedProduct(
    rank: Int, energy: Double?, _ settings: FactorizationSettings,
    _ tolerance: Double = SketchTolerance.usual
  ) throws(LinearAlgebraError) -> HadamardFit.Product {
    let svd = try truncatedSVD(
      rank: rank, method: settings.method, seed: settings.seed, energy: energy,
      tolerance: tolerance)
    return HadamardFit.Product(balancing: svd)
  }
}
