import CKernels

/// Numbers of ±1 in eight bits, closer to each other the closer they are to 0 (Dettmers 2016): an exponent of
/// ten in unary, and what bits are left as a fraction.
struct DynamicMap: Sendable {
  static let signed = DynamicMap(isSigned: true)
  static let unsigned = DynamicMap(isSigned: false)

  /// The number of each code, rising.
  let values: [Float]
  /// Between each code and the next: numbers above belong to the next. The last has none.
  private let bounds: [Float]
  /// For the upper half of the bits of a number, the lowest code of any number with that half: seven bits of
  /// a fraction tell numbers apart better than a code does, so the others have this or the next.
  private let firstCodes: [UInt8]

  private init(isSigned: Bool) {
    var values: [Float] = [0, 1]
    var scale = 1e-6
    for exponent in 0..<7 {
      let count = isSigned ? 1 << exponent : 2 << exponent
      let edges = (0...count).map { i in Self.edge(i, of: count) }
      for i in 0..<count {
        let value = Float(scale * Double((edges[i] + edges[i + 1]) / 2))
        values.append(value)
        if isSigned { values.append(-value) }
      }
      scale *= 10
    }
    let sorted = values.sorted()
    precondition(sorted.count == 256, "a map of \(sorted.count) values")
    self.values = sorted
    bounds = zip(sorted, sorted.dropFirst()).map { ($0 + $1) / 2 } + [.infinity]
    let bounds = bounds
    firstCodes = (0...UInt16.max).map { half in
      // The half with zeros below, or for negative numbers with ones, is the lowest of its numbers.
      let bits = UInt32(half) << 16 | (half >> 15 == 1 ? 0xFFFF : 0)
      let lowest = Float(bitPattern: bits)
      return lowest.isNaN ? 0 : UInt8(Self.place(of: lowest, in: bounds))
    }
  }

  /// The number of the first bound that is not below x.
  private static func place(of x: Float, in bounds: [Float]) -> Int {
    var range = bounds.startIndex..<bounds.endIndex - 1
    while !range.isEmpty {
      let middle = (range.lowerBound + range.upperBound) / 2
      range = bounds[middle] < x ? middle + 1..<range.upperBound : range.lowerBound..<middle
    }
    return range.lowerBound
  }

  /// Bounds of `count` equal parts of 0.1 to 1, from both ends inwards.
  private static func edge(_ i: Int, of count: Int) -> Float {
    let step = Float(1 - Float(0.1)) / Float(count)
    return i < (count + 1) / 2 ? 0.1 + step * Float(i) : 1 - step * Float(count - i)
  }

  /// The code of the nearest number.
  func code(_ x: Float) -> UInt8 {
    let code = Int(firstCodes[Int(x.bitPattern >> 16)])
    return UInt8(code + (x > bounds[code] ? 1 : 0))
  }

  /// Writes the codes of numbers over the largest magnitude among them, as many as `target` has room for.
  /// - Returns: that magnitude
  func write(_ source: [Float], to target: UnsafeMutableBufferPointer<UInt8>) -> Float {
    precondition(source.count >= target.count)
    return unsafe source.withUnsafeBufferPointer { source in
      unsafe firstCodes.withUnsafeBufferPointer { firstCodes in
        unsafe bounds.withUnsafeBufferPointer { bounds in
          guard let x = source.baseAddress, let first = firstCodes.baseAddress,
            let bounds = bounds.baseAddress, let codes = target.baseAddress
          else { return 0 }
          return unsafe lyco_write_codes(x, first, bounds, codes, target.count)
        }
      }
    }
  }
}
