import Foundation
import Tensors
import Testing

@testable import Training

@Suite struct NormalTests {
  @Test func functionsAgreeWithTheLibrary() {
    var worst = (logarithm: 0.0, sine: 0.0)
    for i in 0..<20_000 as Range<UInt32> {
      let bits = i &* 214_748 &+ i
      let x = (Double(bits) + 1) * 0x1p-32
      let expected = log(x)
      worst.logarithm = max(
        worst.logarithm, abs(Normal.logarithm(x) - expected) / max(abs(expected), 1e-300))
      let (sine, cosine) = Normal.sineAndCosine(turn: bits)
      let angle = Double(bits) * (2 * Double.pi * 0x1p-32)
      worst.sine = max(worst.sine, abs(sine - sin(angle)), abs(cosine - cos(angle)))
    }
    print("worst error of logarithm \(worst.logarithm), of sine and cosine \(worst.sine)")
    // A few units in the last place of a Double; the angle of the library's is rounded once more.
    #expect(worst.logarithm < 1e-14)
    #expect(worst.sine < 2e-15)
  }

  @Test func momentsAreThoseOfTheNormalDistribution() {
    var generator = CounterGenerator(seed: 42, epoch: 0, sample: 0, purpose: .noise)
    let n = 1_000_001
    let x = Tensor(normal: [n], using: &generator).elements.map(Double.init)
    var moments = [Double](repeating: 0, count: 4)
    for value in x {
      var power = 1 / Double(n)
      for i in moments.indices {
        power *= value
        moments[i] += power
      }
    }
    print("moments \(moments)")
    // Five deviations of the mean of a million: √1, √2, √15 and √96 thousandths.
    #expect(abs(moments[0]) < 0.005)
    #expect(abs(moments[1] - 1) < 0.0071)
    #expect(abs(moments[2]) < 0.0194)
    #expect(abs(moments[3] - 3) < 0.049)
    // Neighbours come from one pair of uniform numbers and are independent all the same.
    var product = 0.0
    for i in 0..<n / 2 { product += x[2 * i] * x[2 * i + 1] / Double(n / 2) }
    #expect(abs(product) < 0.0071)
  }

  /// These very bits on every machine.
  @Test func firstNumbersAreFixed() {
    var generator = CounterGenerator(seed: 42, epoch: 0, sample: 0, purpose: .noise)
    let bits = Tensor(normal: [6], using: &generator).elements.map(\.bitPattern)
    #expect(
      bits == [
        1_067_342_387, 987_243_274, 1_069_625_631, 1_043_455_380, 996_385_678, 3_200_663_567,
      ])
  }
}
