import CKernels

extension Tensor {
  /// Widens stored numbers. Exact for every format of at most 24 significant bits; F64 and wide
  /// integers are rounded to nearest.
  /// - Parameter share: calls what it is given with every number below a count, maybe on several threads at a time, for
  ///   the parts of a large tensor; one after another if nil
  /// - Precondition: `dtype.isConvertible`, and `bytes` holds exactly `shape.count` elements.
  package init(
    decoding bytes: RawSpan, as dtype: DType, shape: Shape,
    sharing share: ((Int, (Int) -> Void) -> Void)? = nil
  ) {
    let count = shape.count
    checkSize(bytes, dtype, shape)
    self.init(
      shape,
      unsafe [Float](unsafeUninitializedCapacity: count) { target, initialized in
        initialized = count
        guard let target = target.baseAddress, count > 0 else { return }
        unsafe adviseHugePages(target, count)
        unsafe bytes.withUnsafeBytes { source in
          guard let share, let start = source.baseAddress else {
            unsafe widen(source.baseAddress, dtype, target, count)
            return
          }
          let (part, width) = (1 << 18, dtype.bitsPerElement / 8)
          share((count + part - 1) / part) { index in
            let first = index * part
            unsafe widen(
              start + first * width, dtype, target + first, min(part, count - first))
          }
        }
      })
  }

  /// The difference of two stored tensors, without holding both in f32: the change of a fine-tune.
  /// - Precondition: as for `init(decoding:as:shape:)`, for both.
  package init(
    decoding bytes: RawSpan, as dtype: DType, minus other: RawSpan, as otherDType: DType,
    shape: Shape
  ) {
    checkSize(other, otherDType, shape)
    checkSize(bytes, dtype, shape)
    let count = shape.count
    // A part that stays in the first-level cache between widening and subtraction.
    let part = 4096
    var widened = [Float](repeating: 0, count: part)
    self.init(
      shape,
      unsafe [Float](unsafeUninitializedCapacity: count) { target, initialized in
        initialized = count
        guard let target = target.baseAddress, count > 0 else { return }
        unsafe adviseHugePages(target, count)
        unsafe widened.withUnsafeMutableBufferPointer { widened in
          guard let widened = widened.baseAddress else { return }
          for start in stride(from: 0, to: count, by: part) {
            unsafe decodeDifference(
              of: bytes, dtype, minus: other, otherDType, start..<min(start + part, count),
              into: target + start, by: widened)
          }
        }
      })
  }

  /// The elements narrowed to a stored format: round to nearest, ties to even. F16 overflows to
  /// infinity, 8-bit floats and integers saturate.
  /// - Precondition: `dtype.isConvertible`
  package func encoded(as dtype: DType) -> [UInt8] {
    precondition(dtype.isConvertible, "encoding as \(dtype)")
    let byteCount = count * dtype.bitsPerElement / 8
    return unsafe [UInt8](unsafeUninitializedCapacity: byteCount) { target, initialized in
      initialized = byteCount
      guard count > 0, let target = target.baseAddress else { return }
      unsafe adviseHugePages(target, byteCount)
      unsafe elements.withUnsafeBufferPointer {
        unsafe narrow($0.baseAddress, dtype, UnsafeMutableRawPointer(target), count)
      }
    }
  }
}

/// The difference of a range of the numbers of two stored tensors.
/// - Parameters:
///   - target: gets the differences.
///   - widened: room for as many numbers.
/// - Precondition: `dtype.isConvertible` for both, which hold the range.
package func decodeDifference(
  of bytes: RawSpan, _ dtype: DType, minus other: RawSpan, _ otherDType: DType,
  _ range: Range<Int>, into target: UnsafeMutablePointer<Float>,
  by widened: UnsafeMutablePointer<Float>
) {
  func decode(_ bytes: RawSpan, _ dtype: DType, _ target: UnsafeMutablePointer<Float>) {
    let width = dtype.bitsPerElement / 8
    unsafe bytes.extracting(range.lowerBound * width..<range.upperBound * width).withUnsafeBytes {
      unsafe widen($0.baseAddress, dtype, target, range.count)
    }
  }
  unsafe decode(bytes, dtype, target)
  unsafe decode(other, otherDType, widened)
  unsafe lyco_subtract(target, widened, range.count)
}

private func checkSize(_ bytes: borrowing RawSpan, _ dtype: DType, _ shape: Shape) {
  precondition(
    dtype.isConvertible && bytes.byteCount * 8 == shape.count * dtype.bitsPerElement,
    "\(bytes.byteCount) bytes for \(dtype) \(shape)")
}

/// Widens `count` stored numbers; nothing for formats that are not convertible.
func widen(
  _ source: UnsafeRawPointer?, _ dtype: DType, _ target: UnsafeMutablePointer<Float>, _ count: Int
) {
  guard let source = unsafe source else { return }
  switch dtype {
  case .f32: unsafe UnsafeMutableRawPointer(target).copyMemory(from: source, byteCount: 4 * count)
  case .f16: unsafe lyco_widen_f16(source, target, count)
  case .bf16: unsafe lyco_widen_bf16(source, target, count)
  case .f8e4m3, .f8e5m2:
    let table = (dtype == .f8e4m3 ? Float8.e4m3 : .e5m2).values
    unsafe lyco_widen_f8(source.assumingMemoryBound(to: UInt8.self), table, target, count)
  case .f64: unsafe widen(source, target, count) { (x: Double) in Float(x) }
  case .bool: unsafe widen(source, target, count) { (x: UInt8) in x == 0 ? 0 : 1 }
  case .u8: unsafe widen(source, target, count) { (x: UInt8) in Float(x) }
  case .i8: unsafe widen(source, target, count) { (x: Int8) in Float(x) }
  case .u16: unsafe widen(source, target, count) { (x: UInt16) in Float(x) }
  case .i16: unsafe widen(source, target, count) { (x: Int16) in Float(x) }
  case .u32: unsafe widen(source, target, count) { (x: UInt32) in Float(x) }
  case .i32: unsafe widen(source, target, count) { (x: Int32) in Float(x) }
  case .u64: unsafe widen(source, target, count) { (x: UInt64) in Float(x) }
  case .i64: unsafe widen(source, target, count) { (x: Int64) in Float(x) }
  case .f4, .f6e2m3, .f6e3m2, .f8e8m0, .f8e4m3fnuz, .f8e5m2fnuz, .c64: break
  }
}

private func widen<Stored: BitwiseCopyable>(
  _ source: UnsafeRawPointer, _ target: UnsafeMutablePointer<Float>, _ count: Int,
  _ value: (Stored) -> Float
) {
  // Unaligned: a header may end anywhere, and so the data may start anywhere.
  for i in 0..<count {
    unsafe target[i] = value(
      source.loadUnaligned(fromByteOffset: i * MemoryLayout<Stored>.size, as: Stored.self))
  }
}

/// Narrows `count` numbers; nothing for formats that are not convertible.
func narrow(
  _ source: UnsafePointer<Float>?, _ dtype: DType, _ target: UnsafeMutableRawPointer, _ count: Int
) {
  guard let source = unsafe source else { return }
  switch dtype {
  case .f32: unsafe target.copyMemory(from: source, byteCount: 4 * count)
  case .f16: unsafe lyco_narrow_f16(source, target, count)
  case .bf16: unsafe lyco_narrow_bf16(source, target, count)
  case .f8e4m3:
    unsafe lyco_narrow_f8_e4m3(source, target.assumingMemoryBound(to: UInt8.self), count)
  case .f8e5m2:
    unsafe lyco_narrow_f8_e5m2(source, target.assumingMemoryBound(to: UInt8.self), count)
  case .f64: unsafe narrow(source, target, count) { Double($0) }
  case .bool: unsafe narrow(source, target, count) { $0 == 0 ? UInt8(0) : 1 }
  case .u8: unsafe narrow(source, target, count) { saturating($0) as UInt8 }
  case .i8: unsafe narrow(source, target, count) { saturating($0) as Int8 }
  case .u16: unsafe narrow(source, target, count) { saturating($0) as UInt16 }
  case .i16: unsafe narrow(source, target, count) { saturating($0) as Int16 }
  case .u32: unsafe narrow(source, target, count) { saturating($0) as UInt32 }
  case .i32: unsafe narrow(source, target, count) { saturating($0) as Int32 }
  case .u64: unsafe narrow(source, target, count) { saturating($0) as UInt64 }
  case .i64: unsafe narrow(source, target, count) { saturating($0) as Int64 }
  case .f4, .f6e2m3, .f6e3m2, .f8e8m0, .f8e4m3fnuz, .f8e5m2fnuz, .c64: break
  }
}

private func narrow<Stored: BitwiseCopyable>(
  _ source: UnsafePointer<Float>, _ target: UnsafeMutableRawPointer, _ count: Int,
  _ stored: (Float) -> Stored
) {
  for i in 0..<count {
    unsafe target.storeBytes(
      of: stored(source[i]), toByteOffset: i * MemoryLayout<Stored>.size, as: Stored.self)
  }
}

/// The nearest integer of the type, ties to even; NaN becomes 0.
private func saturating<Integer: FixedWidthInteger>(_ value: Float) -> Integer {
  let rounded = value.rounded(.toNearestOrEven)
  guard !rounded.isNaN else { return 0 }
  return Integer(exactly: rounded) ?? (rounded < 0 ? .min : .max)
}
