import SystemPackage
import Tensors
import TestSupport

/// Results of NumPy, written by scripts/fixtures/make-linear-algebra-fixture.py.
enum Reference {
  static let tensors: [String: Tensor] = {
    let file = try! FileDescriptor.open(
      Fixtures.path("linear-algebra/reference.txt"), .readOnly)
    defer { try? file.close() }
    var text: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = try! part.withUnsafeMutableBytes { try file.read(into: $0) }
      if count == 0 { break }
      text += part[..<count]
    }
    var tensors: [String: Tensor] = [:]
    for line in String(decoding: text, as: UTF8.self).split(separator: "\n") {
      let words = line.split(separator: " ")
      let shape = Shape(words[1].split(separator: "x").map { Int($0)! })
      tensors[String(words[0])] = Tensor(shape, words[2...].map { Float($0)! })
    }
    return tensors
  }()

  static func tensor(_ name: String) -> Tensor { tensors[name]! }
}
