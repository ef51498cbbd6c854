import OrderedCollections
import Safetensors
import Tensors
import TestSupport
import Testing

@testable import Training

@Suite struct DynamicMapTests {
  @Test(arguments: ["signed", "unsigned"]) func valuesAreThoseOfBitsandbytes(_ name: String) throws
  {
    let file = try TensorFile(
      opening: Fixtures.path("training/numerics/optimizers-8bit.safetensors"))
    let expected = try #require(file.tensors["map.\(name)"]).tensor().elements
    let map = name == "signed" ? DynamicMap.signed : .unsigned
    let error = zip(map.values, expected).map { $1 == 0 ? abs($0) : abs($0 / $1 - 1) }.max() ?? 1
    print("worst relative error of the \(name) map \(error)")
    // One rounding of f32 more or less.
    #expect(error <= 2e-7)
  }

  /// Every code comes back, and every number goes to the code next to it.
  @Test func codesAreNearest() {
    for map in [DynamicMap.signed, .unsigned] {
      for (code, value) in map.values.enumerated() { #expect(map.code(value) == UInt8(code)) }
      var generator = CounterGenerator(seed: 1, epoch: 0, sample: 0, purpose: .noise)
      for i in 0..<20_000 {
        var x = generator.uniform()
        if i.isMultiple(of: 3) { x *= 1e-4 }
        if i.isMultiple(of: 2), map.values[0] < 0 { x = -x }
        let distance = abs(map.values[Int(map.code(x))] - x)
        let nearest = map.values.map { abs($0 - x) }.min() ?? 0
        // The bound between two codes is rounded.
        #expect(distance <= nearest * (1 + 1e-5), "\(x)")
      }
    }
  }

  /// At both ends of every step of a number's upper half, where a look into the table is off if it is ever.
  @Test func codesAreNearestWhereTheTableChanges() {
    for map in [DynamicMap.signed, .unsigned] {
      for half in UInt32(0)...0xFFFF {
        for bits in [half << 16, half << 16 | 0xFFFF] {
          let x = Float(bitPattern: bits)
          guard x.isFinite, abs(x) <= 1, x >= map.values[0] else { continue }
          let code = Int(map.code(x))
          let distance = abs(map.values[code] - x)
          for other in [code - 1, code + 1] where map.values.indices.contains(other) {
            #expect(distance <= abs(map.values[other] - x) * (1 + 1e-5), "\(x)")
          }
        }
      }
    }
  }
}
