import ArgumentParser

/// A number of bytes as people read and write it.
package struct ByteCount: Equatable, Sendable {
  package let bytes: Int

  package init(_ bytes: Int) { self.bytes = bytes }

  private static let units: [(suffix: String, bytes: Int)] = [
    ("kb", 1_000), ("mb", 1_000_000), ("gb", 1_000_000_000), ("kib", 1 << 10), ("mib", 1 << 20),
    ("gib", 1 << 30), ("k", 1 << 10), ("m", 1 << 20), ("g", 1 << 30), ("b", 1), ("", 1),
  ]

  /// `64MiB`, `2GB`, `500000`: decimal and binary units in any case, a bare K, M or G is binary.
  package init?(_ text: String) {
    let number = text.prefix { $0.isNumber || $0 == "." }
    let suffix = text.dropFirst(number.count).drop(while: \.isWhitespace).lowercased()
    guard let value = Double(number), value >= 0,
      let unit = Self.units.first(where: { $0.suffix == suffix }),
      let bytes = Int(exactly: (value * Double(unit.bytes)).rounded())
    else { return nil }
    self.bytes = bytes
  }
}

extension ByteCount: ExpressibleByArgument {
  package init?(argument: String) { self.init(argument) }
}

extension ByteCount: CustomStringConvertible {
  /// `1.9 GiB`, `312 B`
  package var description: String {
    guard bytes >= 1024 else { return "\(bytes) B" }
    var value = Double(bytes)
    var unit = "B"
    for next in ["KiB", "MiB", "GiB", "TiB"] where value >= 1024 {
      value /= 1024
      unit = next
    }
    return value < 99.95
      ? "\(value.formatted(decimals: 1)) \(unit)" : "\(Int(value.rounded())) \(unit)"
  }
}
