import CKernels
import CSketch
import Tensors
import TestSupport
import Testing

@testable import LinearAlgebra

/// Panels of numbers in halves, and products in bf16, against the matrix.
@Suite struct SplitPanelTests {
  static let kernels = [LYCO_SKETCH_VECTORS, LYCO_SKETCH_TILES].filter {
    lyco_runs_sketch_kernel($0) != 0
  }

  /// None where a processor has no kernel.
  static let spectra = kernels.isEmpty ? [] : Spectrum.allCases

  private func panels(_ matrix: Tensor, splits: Bool) -> PanelMatrix {
    let width = matrix.shape.columns
    return PanelMatrix(matrix.shape, splits: splits) { row, columns, target in
      for (i, j) in columns.enumerated() { target[i] = matrix.elements[row * width + j] }
    }
  }

  private func split(_ matrix: Tensor) -> SplitPanels {
    let width = matrix.shape.columns
    return SplitPanels.reading(matrix.shape, energy: nil) { row, columns, target in
      for (i, j) in columns.enumerated() { target[i] = matrix.elements[row * width + j] }
    }.panels
  }

  /// The nearest bf16; between two the one that is larger, which may be nearer to zero.
  private func nearest(_ x: Float) -> Float {
    let low = Float(bitPattern: x.bitPattern & 0xFFFF_0000)
    let high = Float(bitPattern: (x.bitPattern & 0xFFFF_0000) &+ 0x1_0000)
    if abs(x - low) == abs(high - x) { return max(low, high) }
    return abs(x - low) < abs(high - x) ? low : high
  }

  /// The nearest bf16, and of two the even one, as processors round.
  private func rounded(_ x: Float) -> Double {
    let bits = x.bitPattern
    return Double(
      Float(bitPattern: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) & 0xFFFF_0000))
  }

  /// Numbers in the middle of two bf16 of both signs, odd and even, powers of two, the least and the largest, zeros. The
  /// nearest bf16 of the very largest is infinity.
  @Test func everyNumberIsWholeAgain() {
    var numbers: [Float] = []
    for upper in [0, 1, 0x3F7F, 0x3F80, 0x3F81, 0x7F7E, 0x7F7F] as [UInt32] {
      for lower in [0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF] as [UInt32] {
        for sign in [0, 0x8000_0000] as [UInt32] {
          numbers.append(Float(bitPattern: sign | upper << 16 | lower))
        }
      }
    }
    numbers += [Float](repeating: 0, count: 96 - numbers.count)
    var (upper, lower) = ([UInt16](repeating: 0, count: 96), [UInt16](repeating: 0, count: 96))
    lyco_split_columns(numbers, 3, &upper, &lower, 1)
    var joined = [Float](repeating: 1, count: 96)
    lyco_join(upper, lower, 96, &joined)
    #expect(joined.map(\.bitPattern) == numbers.map(\.bitPattern))
    for (x, half) in zip(numbers, upper) where abs(x) < 0x1.fep127 {
      #expect(Float(bitPattern: UInt32(half) << 16) == nearest(x), "\(x)")
    }
    var turned = (upper: [UInt16](repeating: 0, count: 96), lower: lower)
    // 32 rows of three numbers become three rows.
    let columns = (0..<96).map { numbers[$0 % 3 * 32 + $0 / 3] }
    lyco_split_rows(columns, 3, 3, &turned.upper, &turned.lower)
    #expect(turned.upper == upper && turned.lower == lower)
  }

  @Test func foldsWithSigns() {
    let matrix = Tensor(random: [9, 70], seed: 5)
    let signs = (0..<96).map { $0 >= 70 ? Float(0) : $0 % 3 == 0 ? -1 : 1 }
    var expected = Tensor(zeros: [32, 9])
    for i in 0..<9 {
      for j in 0..<70 {
        expected.elements[j % 32 * 9 + i] += signs[j] * nearest(matrix.elements[i * 70 + j])
      }
    }
    #expect(split(matrix).folded(signs, into: 32) == expected.elements)
  }

  /// Depths around what kernels read at once, numbers of panels of one strip and of several, and vectors of one group and
  /// of two: sums of bf16 products in double precision.
  @Test(
    arguments: [(1, 1), (31, 33), (64, 64), (65, 700), (96, 130), (320, 1184), (2080, 2090)],
    kernels
  )
  func multipliesWithBothSides(_ extents: (Int, Int), _ kernel: lyco_sketch_kernel) {
    let (short, long) = extents
    let matrix = Tensor(random: [short, long], seed: 2)
    let vectors = Tensor(random: [32, short], seed: 3)
    let found = split(matrix).products(vectors.elements, by: kernel)
    let a = matrix.elements.map { Double(nearest($0)) }
    let u = vectors.elements.map { rounded($0) }
    var (worst, largest) = (0.0, 0.0)
    var images = [Double](repeating: 0, count: 32 * long)
    for v in 0..<32 {
      for j in 0..<long {
        var (sum, size) = (0.0, 0.0)
        for k in 0..<short {
          let product = u[v * short + k] * a[k * long + j]
          sum += product
          size += abs(product)
        }
        worst = max(worst, abs(Double(found.images[v * long + j]) - sum) / size)
        images[v * long + j] = rounded(found.images[v * long + j])
      }
      for k in 0..<short {
        var (sum, size) = (0.0, 0.0)
        for j in 0..<long {
          let product = images[v * long + j] * a[k * long + j]
          sum += product
          size += abs(product)
        }
        largest = max(largest, abs(Double(found.powers[v * short + k]) - sum) / size)
      }
    }
    print("kernel \(kernel.rawValue), \(short) × \(long): \(worst) and \(largest) of the terms")
    // 1e-6 of the sum of magnitudes: some ten roundings of single precision.
    #expect(worst < 1e-6 && largest < 1e-6)
  }

  /// Beside the exact decomposition: the error is no more than 1e-3 above the least, as from whole numbers, and where
  /// the spectrum is too steep for bf16 the triplets are those of whole numbers to the bit.
  @Test(arguments: spectra, [[300, 450], [450, 300]] as [Shape])
  func triplets(_ spectrum: Spectrum, _ shape: Shape) throws {
    let matrix = try spectrum.matrix(shape.rows, shape.columns)
    let (whole, split) = (panels(matrix, splits: false), panels(matrix, splits: true))
    let energy = matrix.sumOfSquares
    for rank in [4, 32] {
      let found = try split.truncatedSVD(rank: rank, method: .randomized)
      let reference = try whole.truncatedSVD(rank: rank, method: .randomized)
      let rest = spectrum.rest(300, after: rank)
      if rest * rest <= 0.019 * energy {
        #expect(found.u == reference.u && found.s == reference.s && found.vt == reference.vt)
        continue
      }
      // Of others rounding is too much of one sign, or a sketch would span too much.
      if rank == 4, [.slow, .root, .harmonic].contains(spectrum) {
        #expect(found.s != reference.s)
      }
      expectOrthonormal(found)
      let error = matrix.squaredDistance(to: found.product()).squareRoot()
      #expect(error <= (1 + 1e-3) * rest)
      // What is stated of the error: ‖A‖² less the squares of the singular values.
      let stated = energy - found.s.reduce(0) { $0 + Double($1) * Double($1) }
      #expect(abs(stated.squareRoot() / error - 1) < 1e-3)
    }
  }

  /// Bounds that bf16 may serve, and one that it may not: none is missed.
  @Test(arguments: spectra, [0.9, 0.6, 0.3, 0.19, 0.1])
  func boundsAreKept(_ spectrum: Spectrum, _ bound: Double) throws {
    let matrix = try spectrum.matrix(300, 450)
    let energy = matrix.sumOfSquares
    let found = try panels(matrix, splits: true).truncatedSVD(
      relativeError: bound, method: .randomized)
    let least = (0...300).first { spectrum.rest(300, after: $0) <= bound * energy.squareRoot() }!
    #expect(found.rank == least || found.rank == least + 1)
    // 1e-4: as of whole numbers.
    #expect(
      matrix.squaredDistance(to: found.product()).squareRoot()
        <= bound * energy.squareRoot() * (1 + 1e-4))
  }

  /// One direction with nearly all of the energy over a flat rest: the singular values behind it are below 1e-2 of it, and
  /// what they leave is 2.5 % of the energy.
  @Test func smallSingularValuesHaveOrthonormalVectors() throws {
    guard !Self.kernels.isEmpty else { return }
    let noise = Tensor(random: [1000, 4000], seed: 4)
    var matrix = noise * Float((0.026 / noise.sumOfSquares).squareRoot())
    let u = try Tensor(random: [1000, 1], seed: 5).qr().q
    let v = try Tensor(random: [4000, 1], seed: 6).qr().q
    matrix.addProduct(u, v.transposed())
    let split = panels(matrix, splits: true)
    let found = try split.truncatedSVD(rank: 8, method: .randomized)
    let whole = try panels(matrix, splits: false).truncatedSVD(rank: 8, method: .randomized)
    #expect(found.s[7] < 1e-2 * found.s[0] && found.s != whole.s)
    expectOrthonormal(found)
    // As far from the optimum as from whole numbers, but for the noise of 4e-5.
    #expect(
      matrix.squaredDistance(to: found.product())
        <= matrix.squaredDistance(to: whole.product()) * (1 + 1e-3))
  }

  /// Signs times one number that bf16 rounds up: all of it would seem larger than it is.
  @Test func roundingThatIsNoNoiseIsLeftAlone() throws {
    var matrix = Tensor(random: [640, 2560], seed: 7)
    let (rows, columns) = (Tensor(random: [640], seed: 8), Tensor(random: [2560], seed: 9))
    for i in 0..<matrix.count {
      let sign: Float =
        (rows.elements[i / 2560] < 0) == (columns.elements[i % 2560] < 0) ? 1 : -1
      // One in a hundred the other way.
      matrix.elements[i] = 1.0040 * (i % 97 == 0 ? -sign : sign)
    }
    let panels = panels(matrix, splits: true)
    guard case .whole = panels.form else {
      Issue.record("panels in halves")
      return
    }
    #expect(panels.tensor == matrix)
    let found = try panels.truncatedSVD(relativeError: 0.19)
    let error = (matrix.squaredDistance(to: found.product()) / matrix.sumOfSquares).squareRoot()
    #expect(error <= 0.19 * (1 + 1e-4))
  }

  private func expectOrthonormal(_ svd: SVD, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(departureFromOrthonormality(svd.u) < 1e-5, sourceLocation: sourceLocation)
    #expect(
      departureFromOrthonormality(svd.vt.transposed()) < 1e-5, sourceLocation: sourceLocation)
  }
}
