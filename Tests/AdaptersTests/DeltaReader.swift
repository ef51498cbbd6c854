import Adapters
import LinearAlgebra
import Tensors
import TestSupport

extension Factorization {
  /// What a reader makes of the stored tensors: the delta of a zero base of that shape.
  func readDelta(of shape: Shape) throws -> Tensor {
    var values: [String: Tensor] = [:]
    var scale: Float = 1
    let shapes = Dictionary(uniqueKeysWithValues: factors.map { ($0.suffix, $0.tensor.shape) })
    let type = allAlgorithms.first { $0.name == algorithm }!
    for factor in factors {
      if factor.suffix == alphaSuffix.name {
        scale = factor.tensor.decoded().elements[0] / Float(type.rank(of: shapes) ?? 1)
      } else {
        values[factor.suffix] = factor.tensor.decoded()
      }
    }
    if let indices = values.removeValue(forKey: SparseResidual.indicesSuffix),
      let sparse = values[SparseResidual.valuesSuffix]
    {
      values[SparseResidual.valuesSuffix] = try SparseResidual.dense(
        indices: indices, values: sparse, base: shape)
    }
    return try type.adaptedWeight(
      Tensor(zeros: shape), Factors(values, scale: scale), multiplier: 1)
  }

  /// ‖Δ − up · down‖_F summed in double precision from the stored numbers.
  func trueError(of delta: Tensor) -> Double {
    let tensors = Dictionary(uniqueKeysWithValues: factors.map { ($0.suffix, $0.tensor.decoded()) })
    guard let up = tensors["lora_up.weight"], let down = tensors["lora_down.weight"] else {
      return delta.squaredDistance(to: factors[0].tensor.decoded()).squareRoot()
    }
    let (m, k, n) = (up.shape.rows, down.shape.rows, down.shape.columns)
    var sum = 0.0
    for i in 0..<m {
      var row = (0..<n).map { Double(delta.elements[i * n + $0]) }
      for l in 0..<k {
        let factor = Double(up.elements[i * k + l])
        for j in 0..<n { row[j] -= factor * Double(down.elements[l * n + j]) }
      }
      sum += row.reduce(0) { $0 + $1 * $1 }
    }
    return sum.squareRoot()
  }
}

/// Deltas with a chosen spectrum, roughly: a product of random factors whose inner axis is weighted.
func decayingDelta(_ shape: Shape, decay: Float, seed: UInt64) -> Tensor {
  let inner = min(shape.rows, shape.columns)
  var left = Tensor(random: [shape.rows, inner], seed: seed)
  var weights: [Float] = [1]
  while weights.count < inner { weights.append(weights[weights.count - 1] * decay) }
  left.scaleColumns(by: weights)
  let right = Tensor(random: [inner, shape.columns], seed: seed + 1)
  var product = [Float](repeating: 0, count: shape.count)
  for i in 0..<shape.rows {
    for l in 0..<inner {
      let factor = left.elements[i * inner + l]
      for j in 0..<shape.columns {
        product[i * shape.columns + j] += factor * right.elements[l * shape.columns + j]
      }
    }
  }
  return Tensor(shape, product)
}

/// 64 directions of strength i^-0.5 over noise of about the same energy, as the checkpoints of the benchmarks differ.
func manyDirections(_ shape: Shape, seed: UInt64) -> Tensor {
  var left = Tensor(random: [shape.rows, 64], seed: seed)
  left.scaleColumns(by: (1...64).map { 1 / Float($0).squareRoot() })
  let signal = left.matmul(Tensor(random: [64, shape.columns], seed: seed + 100))
  let noise = Tensor(random: shape, seed: seed + 200)
  return signal.adding(
    noise, times: Float((signal.sumOfSquares / noise.sumOfSquares).squareRoot()))
}
