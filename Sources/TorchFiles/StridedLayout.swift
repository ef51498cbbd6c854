/// How the elements of a tensor lie in its storage.
package struct StridedLayout: Hashable, Sendable {
  /// Of the first element, in elements.
  let offset: Int
  let extents: [Int]
  /// From one element to the next along an axis, in elements.
  let strides: [Int]

  /// torch allows as many axes.
  static let mostAxes = 64

  /// The index behind the last element in the storage, 0 if there is none; nil where the numbers make
  /// no sense or what they multiply to exceeds 2^56.
  var end: Int? {
    guard extents.count == strides.count, extents.count <= Self.mostAxes, offset >= 0,
      extents.allSatisfy({ $0 >= 0 }), strides.allSatisfy({ $0 >= 0 })
    else { return nil }
    // As for headers, an extent of 0 does not excuse the others.
    var count = 1
    for extent in extents where extent > 0 {
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      guard !overflow, product < 1 << 56 else { return nil }
      count = product
    }
    guard !extents.contains(0) else { return 0 }
    var last = offset
    for (extent, stride) in zip(extents, strides) {
      let (step, overflow) = (extent - 1).multipliedReportingOverflow(by: stride)
      guard !overflow, step < Int.max - last else { return nil }
      last += step
    }
    return last + 1
  }

  /// Whether the elements follow each other in row-major order.
  var isContiguous: Bool {
    guard !extents.contains(0) else { return true }
    var expected = 1
    for (extent, stride) in zip(extents, strides).reversed() where extent != 1 {
      guard stride == expected else { return false }
      expected *= extent
    }
    return true
  }

  /// Copies the elements in row-major order.
  /// - Parameters:
  ///   - storage: holds all of them
  ///   - width: of an element, in bytes
  func gathered(from storage: RawSpan, width: Int) -> [UInt8] {
    switch width {
    case 1: gathered(from: storage, as: UInt8.self)
    case 2: gathered(from: storage, as: UInt16.self)
    case 4: gathered(from: storage, as: UInt32.self)
    default: gathered(from: storage, as: UInt64.self)
    }
  }

  private func gathered<Element: BitwiseCopyable>(
    from storage: RawSpan, as type: Element.Type
  ) -> [UInt8] {
    let width = MemoryLayout<Element>.size
    let count = extents.reduce(1, *)
    let (rowLength, rowStride) = (extents.last ?? 1, strides.last ?? 1)
    guard count > 0 else { return [] }
    return unsafe [UInt8](unsafeUninitializedCapacity: count * width) { target, initialized in
      var position = [Int](repeating: 0, count: max(0, extents.count - 1))
      var start = offset
      var written = 0
      while written < count {
        var element = start
        for _ in 0..<rowLength {
          let value = unsafe storage.unsafeLoadUnaligned(
            fromByteOffset: element * width, as: Element.self)
          unsafe UnsafeMutableRawBufferPointer(target).storeBytes(
            of: value, toByteOffset: written * width, as: Element.self)
          element &+= rowStride
          written += 1
        }
        // The next row: the innermost of the other axes that is not at its end moves on.
        for axis in position.indices.reversed() {
          position[axis] += 1
          start &+= strides[axis]
          guard position[axis] == extents[axis] else { break }
          start &-= strides[axis] &* extents[axis]
          position[axis] = 0
        }
      }
      initialized = count * width
    }
  }
}
