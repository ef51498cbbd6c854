import Tensors
import TestSupport
import Testing

@Suite struct ConversionTests {
  private func decode(_ bytes: [UInt8], _ dtype: DType, count: Int) -> [Float] {
    Tensor(decoding: bytes.span.bytes, as: dtype, shape: [count]).elements
  }

  /// Every 16-bit code against a conversion written out bit by bit, so all clones are covered on
  /// the machine at hand.
  @Test func widensEveryHalf() {
    let codes = (0...UInt16.max).map { $0 }
    let widened = decode(
      codes.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }, .f16, count: codes.count)
    for (code, value) in zip(codes, widened) {
      let exponent = Int(code >> 10) & 31
      let mantissa = Float(code & 1023) / 1024
      let sign: Float = code >> 15 == 0 ? 1 : -1
      switch exponent {
      case 31 where mantissa != 0: #expect(value.isNaN)
      case 31: #expect(value == sign * .infinity)
      case 0: #expect(value == sign * mantissa * Float(sign: .plus, exponent: -14, significand: 1))
      default:
        #expect(
          value == sign * Float(sign: .plus, exponent: exponent - 15, significand: 1 + mantissa))
      }
    }
  }

  /// Widening then narrowing is the identity on every code that is not NaN.
  @Test(arguments: [DType.f16, .bf16, .f8e4m3, .f8e5m2])
  func narrowsBackToTheSameCode(_ dtype: DType) {
    let width = dtype.bitsPerElement / 8
    let count = 1 << dtype.bitsPerElement
    let bytes = (0..<count).flatMap { code in (0..<width).map { UInt8(code >> (8 * $0) & 0xFF) } }
    let tensor = Tensor(decoding: bytes.span.bytes, as: dtype, shape: [count])
    let back = tensor.encoded(as: dtype)
    for (i, value) in tensor.elements.enumerated() where value.isFinite {
      #expect(back[width * i..<width * (i + 1)] == bytes[width * i..<width * (i + 1)], "\(value)")
    }
  }

  @Test func roundsTiesToEven() {
    // 1 + 2⁻¹¹ lies half way between the f16 neighbours 1 (even) and 1 + 2⁻¹⁰ (odd).
    let tensor = Tensor([4], [1 + 0x1p-11, 1 + 3 * 0x1p-11, 1 + 0x1p-8, 1 + 3 * 0x1p-8])
    #expect(decode(tensor.encoded(as: .f16), .f16, count: 4)[0...1] == [1, 1 + 0x1p-9])
    #expect(decode(tensor.encoded(as: .bf16), .bf16, count: 4)[2...3] == [1, 1 + 0x1p-6])
  }

  /// Values by torch 2.15 `tensor.to(torch.float8_e4m3fn)` and `float8_e5m2`, except that torch
  /// overflows e5m2 to infinity where a merge must saturate.
  @Test func narrowsToFloat8AsTorchDoes() {
    let tensor = Tensor([6], [0.3, -17, 0.001953125, 0.0009, 447, 1e6])
    #expect(
      decode(tensor.encoded(as: .f8e4m3), .f8e4m3, count: 6)
        == [0.3125, -16, 0.001953125, 0, 448, 448])
    #expect(
      decode(tensor.encoded(as: .f8e5m2), .f8e5m2, count: 6)
        == [0.3125, -16, 0.001953125, 0.0008544922, 448, 57344])
  }

  @Test func keepsNaNAndOverflowsHalfToInfinity() {
    let tensor = Tensor([3], [.nan, 70000, -.infinity])
    for dtype in [DType.f16, .bf16, .f8e4m3, .f8e5m2, .f64, .f32] {
      #expect(decode(tensor.encoded(as: dtype), dtype, count: 3)[0].isNaN, "\(dtype)")
    }
    #expect(decode(tensor.encoded(as: .f16), .f16, count: 3)[1] == .infinity)
  }

  @Test func saturatesIntegers() {
    let tensor = Tensor([4], [-1, 2.5, 300, .nan])
    #expect(decode(tensor.encoded(as: .u8), .u8, count: 4) == [0, 2, 255, 0])
    #expect(decode(tensor.encoded(as: .i64), .i64, count: 4) == [-1, 2, 300, 0])
    #expect(decode(tensor.encoded(as: .bool), .bool, count: 4) == [1, 1, 1, 1])
  }

  @Test func findsTheLargestMagnitude() {
    for count in [0, 1, 7, 1000] {
      let x = Tensor(random: [count], seed: 1)
      #expect(x.largestMagnitude == x.elements.map(abs).max() ?? 0)
    }
    #expect(Tensor([5], [1, -.infinity, .nan, -3, 2]).largestMagnitude == 3)
    #expect(Tensor([1], [.nan]).largestMagnitude == 0)
  }

  @Test func sumsAgreeWithPlainLoops() {
    for count in [0, 1, 7, 8, 9, 1000] {
      let x = Tensor(random: [count], seed: 1)
      let y = Tensor(random: [count], seed: 2)
      let squares = x.elements.reduce(0.0) { $0 + Double($1) * Double($1) }
      let distance = zip(x.elements, y.elements).reduce(0.0) {
        $0 + (Double($1.0) - Double($1.1)) * (Double($1.0) - Double($1.1))
      }
      // Doubles added in another order: a few ulp.
      #expect(abs(x.sumOfSquares - squares) <= 1e-13 * squares)
      #expect(abs(x.squaredDistance(to: y) - distance) <= 1e-13 * distance)
    }
  }
}
