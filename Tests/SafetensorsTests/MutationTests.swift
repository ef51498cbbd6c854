import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Damaged headers must be refused or read, never trap. The long run is scripts/fuzz/fuzz-header.sh.
@Suite struct MutationTests {
  @Test func survivesDamagedHeaders() {
    let seeds = ["every-dtype", "names", "shapes", "odd/unknown-fields", "odd/zero-sized"]
      .map { contents(Fixtures.path("safetensors/\($0).safetensors")) }
    let words = ["\"", "\\", "{", "}", "[", "]", ",", ":", "-", "9223372036854775807", "0", "\\u"]
    var generator = SeededGenerator(seed: 7)
    var (accepted, refused) = (0, 0)
    for i in 0..<4000 {
      var bytes = seeds[i % seeds.count]
      for _ in 0...Int.random(in: 0..<3, using: &generator) {
        let place = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: bytes[place] = .random(in: .min ... .max, using: &generator)
        case 1: bytes.remove(at: place)
        case 2: bytes.insert(contentsOf: words[place % words.count].utf8, at: place)
        default: bytes[min(place, 600)] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        }
      }
      do {
        let header = try Header(parsing: bytes.span, of: "x")
        accepted += 1
        #expect(header.fileLength == bytes.count)
      } catch {
        refused += 1
        #expect(error.description.hasPrefix("x: "))
      }
    }
    // Damage to the data alone is not noticed, damage to the header nearly always.
    #expect(accepted > 100 && refused > 1000)
  }
}
