import Adapters
import Autograd
import LinearAlgebra
import Tensors
import Testing

/// Every operation that a formula may use, against differences; then the formulas themselves.
struct AlgebraGradientTests {
  @Test func products() {
    checkGradients(of: [random([4, 3], seed: 1), random([3, 5], seed: 2)], "matmul") {
      $0[0].matmul($0[1])
    }
    checkGradients(of: [random([2, 4, 3], seed: 1), random([2, 3, 5], seed: 2)], "blockMatmul") {
      $0[0].blockMatmul($0[1])
    }
    checkGradients(of: [random([4, 3], seed: 1), random([4, 3], seed: 2)], "elements") {
      $0[0] * $0[1]
    }
    checkGradients(of: [random([4, 3], seed: 1)], "number") { $0[0] * -1.5 }
  }

  @Test func shapes() {
    checkGradients(of: [random([4, 3], seed: 1)], "transposed") { $0[0].transposed() }
    checkGradients(of: [random([4, 3], seed: 1)], "reshaped") { $0[0].reshaped([2, 6]) }
    checkGradients(of: [random([5, 3], seed: 1)], "rows") { $0[0].rows(1..<4) }
    checkGradients(of: [random([2, 3], seed: 1), random([1, 3], seed: 2)], "stacked") {
      Variable.stacked([$0[0], $0[1], $0[0]])
    }
    checkGradients(of: [random([2, 3, 4, 5], seed: 1)], "swappedMiddleAxes") {
      $0[0].swappedMiddleAxes()
    }
    checkGradients(of: [random([2, 3, 4], seed: 1)], "swappedLastAxes") {
      $0[0].swappedLastAxes()
    }
  }

  @Test func sums() {
    let base = random([6, 8], seed: 1)
    checkGradients(of: [base, random([6, 8], seed: 2)], "sum") { $0[0] + $0[1] }
    checkGradients(of: [base, random([6, 8], seed: 2)], "adding") {
      $0[0].adding($0[1], times: 0.7)
    }
    checkGradients(
      of: [base, random([6, 3], seed: 2), random([3, 8], seed: 3)], "adding product"
    ) { $0[0].adding(product: $0[1], $0[2], times: -0.7) }
    checkGradients(
      of: [base, random([6, 8], seed: 2), random([6, 8], seed: 3)], "adding hadamard"
    ) { $0[0].adding(hadamard: $0[1], $0[2], times: 0.7) }
    checkGradients(
      of: [base, random([2, 4], seed: 2), random([3, 2], seed: 3)], "adding kronecker"
    ) { $0[0].adding(kronecker: $0[1], $0[2], times: 0.7) }
    checkGradients(of: [random([2, 3, 3], seed: 1)], "addingDiagonal") {
      $0[0].addingDiagonal(0.5)
    }
    for t: Float in [0.3, 1] {
      checkGradients(of: [random([6, 8], seed: 2)], "interpolated \(t)") {
        Variable(base).interpolated(to: $0[0], by: t)
      }
    }
  }

  @Test func inverse() {
    // Far from singular, so that differences of the step are those of a smooth function.
    checkGradients(of: [random([4, 4], seed: 1)], "inverse") { ($0[0].addingDiagonal(3)).inverse() }
    checkGradients(of: [random([2, 3, 3], seed: 1)], "inverses") {
      ($0[0].addingDiagonal(3)).inverse()
    }
  }

  @Test func butterfly() {
    checkGradients(of: [random([8, 5], seed: 1), random([2, 4, 2, 2], seed: 2)], "butterflied") {
      $0[0].butterflied(by: $0[1])
    }
  }

  @Test func scales() {
    let x = random([4, 3], seed: 1)
    checkGradients(of: [x], "limited") { $0[0].limited(toNorm: 0.5) }
    checkGradients(of: [x], "not limited") { $0[0].limited(toNorm: 50) }
    checkGradients(of: [x], "rowNorms") { $0[0].rowNorms() }
    checkGradients(of: [x.adding(x, times: 0) + Tensor([4, 3], .init(repeating: 2, count: 12))]) {
      $0[0].reciprocal(offset: 0.1)
    }
    checkGradients(of: [x, random([4, 1], seed: 2)], "scaledRows") { $0[0].scaledRows(by: $0[1]) }
    checkGradients(of: [x, random([3], seed: 2)], "scaledColumns") {
      $0[0].scaledColumns(by: $0[1])
    }
    let factors = random([2, 3], seed: 3)
    checkGradients(of: [random([2, 2, 3], seed: 1)], "scaledColumnsBySample") {
      $0[0].scaledColumnsBySample(factors)
    }
    checkGradients(of: [x], "masked") { $0[0].masked(by: random([4, 3], seed: 5)) }
  }

  @Test func truncationIsConstant() {
    let parameter = Parameter("x", random([4, 3], seed: 1))
    Recording().record {
      #expect(!parameter.variable.truncated(toRank: 2).needsGradient)
    }
  }

  /// The base weight of a formula is a constant: it must not be kept for the backward pass of an
  /// additive algorithm, and nothing is found for it.
  @Test func constantsGetNothing() {
    let parameter = Parameter("up", random([4, 2], seed: 1))
    Recording().record {
      let sum = Variable(random([4, 3], seed: 2)).adding(
        product: parameter.variable, Variable(random([2, 3], seed: 3)), times: 1)
      sum.backpropagate()
    }
    #expect(parameter.gradient?.shape == [4, 2])
  }

  struct Case: CustomTestStringConvertible {
    let algorithm: any AdapterAlgorithm.Type
    let weight: Shape
    let settings: AdapterSettings
    let name: String
    var testDescription: String { name }

    init(
      _ name: String, _ algorithm: any AdapterAlgorithm.Type, _ weight: Shape,
      _ change: (inout AdapterSettings) -> Void = { _ in }
    ) {
      self.name = name
      self.algorithm = algorithm
      self.weight = weight
      var settings = AdapterSettings(rank: 2, alpha: 1.5)
      change(&settings)
      self.settings = settings
    }
  }

  static let cases =
    allAlgorithms.map { algorithm in
      Case(algorithm.name, algorithm, algorithm == Norm.self ? [8] : [8, 6])
    } + [
      Case("lora conv", LoRA.self, [8, 6, 3, 3]),
      Case("lora tucker", LoRA.self, [8, 6, 3, 3]) { $0.usesTucker = true },
      Case("loha tucker", LoHa.self, [8, 6, 3, 3]) { $0.usesTucker = true },
      Case("lokr tucker", LoKr.self, [16, 12, 3, 3]) {
        $0.usesTucker = true
        $0.factor = 2
        $0.rank = 1
      },
      Case("lokr both", LoKr.self, [16, 16]) {
        $0.decomposesBoth = true
        $0.rank = 1
      },
      Case("glora conv", GLoRA.self, [8, 6, 3, 3]),
      Case("ia3 input", IA3.self, [8, 6, 3, 3]) { $0.scalesInput = true },
      Case("oft bounded", DiagOFT.self, [8, 6]) {
        $0.rescales = true
        $0.constraint = 0.02
      },
      Case("boft rescaled", BOFT.self, [8, 6]) { $0.rescales = true },
    ]

  /// The gradient of Σ W' ⊙ weights with respect to every factor, at factors that are not zero.
  @Test(arguments: cases) func formulas(_ test: Case) throws {
    var generator = SeededGenerator(seed: 5)
    let base = random(test.weight, seed: 7)
    var factors = try test.algorithm.initialFactors(
      for: BaseWeight(base), test.settings, using: &generator)
    let suffixes = factors.values.keys.sorted()
    for (index, suffix) in suffixes.enumerated() {
      let change = random(factors.values[suffix]!.shape, seed: UInt64(index + 20))
      factors.values[suffix]!.add(change, times: 0.3)
    }
    for multiplier: Float in [1, 0.5] {
      checkGradients(
        of: suffixes.map { factors.values[$0]! }, "\(test.name) × \(multiplier)"
      ) { inputs in
        let values = Dictionary(uniqueKeysWithValues: zip(suffixes, inputs))
        return try! test.algorithm.adaptedWeight(
          Variable(base), Factors(values, scale: factors.scale, alpha: factors.alpha),
          multiplier: multiplier)
      }
    }
  }
}
