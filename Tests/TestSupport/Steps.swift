package import Tensors

/// The largest number of steps, from one representable number to the next, between corresponding
/// elements of two tensors of one floating-point format. 0 means that they are equal as numbers;
/// NaN counts as the number beyond infinity. Elements at `exceptions` are passed over.
package func largestStep(
  _ a: EncodedTensor, _ b: EncodedTensor, except exceptions: Set<Int> = []
) -> Int {
  precondition(
    a.dtype == b.dtype && a.shape == b.shape, "\(a.dtype)\(a.shape), \(b.dtype)\(b.shape)")
  return zip(a.positions, b.positions).enumerated().reduce(0) { worst, place in
    exceptions.contains(place.offset)
      ? worst : max(worst, abs(place.element.0 - place.element.1))
  }
}

extension EncodedTensor {
  /// For each element its place among the numbers of the format, 0 for both zeros.
  fileprivate var positions: [Int] {
    let width = dtype.bitsPerElement / 8
    let sign: UInt64 = 1 << (8 * UInt64(width) - 1)
    return bytes.withUnsafeBytes { bytes in
      stride(from: 0, to: bytes.count, by: width).map { offset in
        let code: UInt64 =
          switch width {
          case 1: UInt64(bytes[offset])
          case 2: UInt64(bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
          case 4: UInt64(bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
          default: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
          }
        return code & sign == 0 ? Int(code) : -Int(code & (sign - 1))
      }
    }
  }
}
