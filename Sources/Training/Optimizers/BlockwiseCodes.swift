import CKernels

/// Numbers in eight bits each, with a largest magnitude for every block of 256.
struct BlockwiseCodes: Equatable {
  static let blockLength = 256

  private(set) var codes: [UInt8]
  private(set) var magnitudes: [Float]

  /// Zeros.
  init(count: Int, _ map: DynamicMap) {
    codes = [UInt8](repeating: map.code(0), count: count)
    magnitudes = [Float](
      repeating: 0, count: (count + Self.blockLength - 1) / Self.blockLength)
  }

  /// As stored.
  init(codes: [UInt8], magnitudes: [Float]) {
    self.codes = codes
    self.magnitudes = magnitudes
  }

  /// Writes the numbers of a block to the beginning of `target`.
  func read(block: Int, _ map: DynamicMap, into target: inout [Float]) {
    let start = block * Self.blockLength
    unsafe codes.withUnsafeBufferPointer { codes in
      unsafe map.values.withUnsafeBufferPointer { values in
        unsafe target.withUnsafeMutableBufferPointer { target in
          guard let source = codes.baseAddress, let values = values.baseAddress,
            let target = target.baseAddress
          else { return }
          unsafe lyco_read_codes(
            source + start, values, magnitudes[block], target,
            min(Self.blockLength, codes.count - start))
        }
      }
    }
  }

  /// Takes the numbers of a block from the beginning of `source`.
  mutating func write(block: Int, _ map: DynamicMap, from source: [Float]) {
    let start = block * Self.blockLength
    magnitudes[block] = unsafe codes.withUnsafeMutableBufferPointer { codes in
      unsafe map.write(
        source,
        to: UnsafeMutableBufferPointer(
          rebasing: codes[start..<min(start + Self.blockLength, codes.count)]))
    }
  }
}
