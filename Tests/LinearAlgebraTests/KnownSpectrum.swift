import Glibc
import LinearAlgebra
import Tensors
import TestSupport
import Testing

/// Spectra of known values that real differences of checkpoints resemble, and hard ones.
enum Spectrum: String, CaseIterable, CustomTestStringConvertible {
  case slow = "i^-0.3"
  case root = "i^-0.5"
  case harmonic = "i^-1"
  case square = "i^-2"
  case exponential = "exp(-i/50)"
  case noisy = "16 triplets above noise"
  case flat = "straight line to 0"
  case gap = "24 equal ones above 0.02"
  case steep = "10^(-i/6)"
  case precipice = "10^-i"

  var testDescription: String { rawValue }

  func values(_ count: Int) -> [Float] {
    (1...count).map { i in
      let i = Double(i)
      let noise = 1 - 0.95 * i / Double(count)
      let value: Double =
        switch self {
        case .slow: pow(i, -0.3)
        case .root: pow(i, -0.5)
        case .harmonic: 1 / i
        case .square: 1 / (i * i)
        case .exponential: exp(-i / 50)
        case .noisy: (noise * noise + (i <= 16 ? 9 * pow(1 - i / 64, 2) : 0)).squareRoot()
        case .flat: 1 - (i - 1) / Double(count)
        case .gap: i <= 24 ? 1 : 0.02
        case .steep: pow(10, -i / 6)
        case .precipice: pow(10, -i)
        }
      return Float(value)
    }
  }

  /// √Σ_{i≥rank} σᵢ²: the least error of that rank, in double precision.
  func rest(_ count: Int, after rank: Int) -> Double {
    values(count).dropFirst(rank).reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
  }

  /// A matrix with these singular values between random orthonormal vectors.
  func matrix(_ m: Int, _ n: Int, seed: UInt64 = 1) throws -> Tensor {
    let k = min(m, n)
    let u = try Tensor(random: [m, k], seed: seed).qr().q
    let v = try Tensor(random: [n, k], seed: seed + 1).qr().q
    return SVD(u: u, s: values(k), vt: v.transposed()).product()
  }
}

/// ‖XᵀX − 1‖_F for the columns of a matrix.
func departureFromOrthonormality(_ x: Tensor) -> Double {
  x.transposedMatmul(x).squaredDistance(to: Tensor(identity: x.shape.columns)).squareRoot()
}
