import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing
import TorchFiles

/// Damaged files must be refused or read, never trap. The long run is scripts/fuzz/fuzz-torch.sh.
@Suite struct DamagedFileTests {
  private static func bytes(_ name: String) throws -> [UInt8] {
    try contents(of: Fixtures.path("torch/\(name)"))
  }

  /// Cut short at every byte.
  @Test(arguments: ["protocol-2.pt", "protocol-4-legacy.pt", "lightning-legacy.ckpt"])
  func refusesTruncatedFiles(_ name: String) throws {
    let bytes = try Self.bytes(name)
    #expect(throws: Never.self) { try TorchFile(parsing: bytes.span) }
    for length in 0..<bytes.count {
      let start = Array(bytes[..<length])
      let error = #expect(throws: TorchFileError.self, "\(length) of \(bytes.count) bytes") {
        try TorchFile(parsing: start.span)
      }
      #expect(error?.description.contains("\n") == false)
    }
  }

  /// Every byte of every tensor is touched, so that a range outside of the file would trap.
  @Test func survivesDamage() throws {
    let seeds = try TorchReadingTests.names.map(Self.bytes)
    var generator = SeededGenerator(seed: 11)
    var (accepted, refused) = (0, 0)
    for i in 0..<8000 {
      var bytes = seeds[i % seeds.count]
      for _ in 0...Int.random(in: 0..<3, using: &generator) {
        let place = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: bytes[place] = .random(in: .min ... .max, using: &generator)
        case 1: bytes.remove(at: place)
        case 2: bytes.insert(.random(in: .min ... .max, using: &generator), at: place)
        default: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        }
      }
      do {
        let file = try TorchFile(parsing: bytes.span)
        accepted += 1
        for tensor in file.tensors {
          let range = tensor.range ?? 0..<tensor.byteCount
          let data = tensor.range == nil ? tensor.gathered(from: bytes.span) : bytes
          #expect(data[range].count == tensor.byteCount)
        }
      } catch {
        refused += 1
        #expect(!error.description.contains("\n"))
      }
    }
    // Damage to data, padding and checksums is not noticed, to the rest nearly always.
    #expect(accepted > 500 && refused > 2000, "\(accepted) accepted, \(refused) refused")
  }
}
