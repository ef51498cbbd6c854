import CKernels

extension EncodedTensor {
  /// Stored numbers in another format, by the rules of `Tensor.encoded(as:)`, with one rounding.
  ///
  /// No array of `Float` is made: 16-bit formats go straight to each other, all others by way of a
  /// part that stays in the first-level cache.
  /// - Parameter losses: what this costs the numbers is added.
  /// - Precondition: both formats are floating-point, and `bytes` holds exactly `shape.count`
  ///   elements.
  package init(
    converting bytes: borrowing RawSpan, from source: DType, _ shape: Shape, to target: DType,
    losses: inout ConversionLosses
  ) {
    precondition(
      source.isFloatingPoint && target.isFloatingPoint
        && bytes.byteCount * 8 == shape.count * source.bitsPerElement,
      "\(bytes.byteCount) bytes for \(source) \(shape) to \(target)")
    let count = shape.count
    let byteCount = count * target.bitsPerElement / 8
    var found = lyco_losses()
    let converted = unsafe [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, initialized in
      initialized = byteCount
      guard count > 0, let start = buffer.baseAddress else { return }
      unsafe adviseHugePages(start, byteCount)
      unsafe bytes.withUnsafeBytes {
        guard let stored = $0.baseAddress else { return }
        unsafe convert(stored, source, UnsafeMutableRawPointer(start), target, count, &found)
      }
    }
    losses += ConversionLosses(found, of: count)
    self.init(target, shape, converted)
  }

  /// Narrows to `dtype` by the rules of `Tensor.encoded(as:)`.
  /// - Parameter losses: what this costs the numbers is added.
  package init(_ tensor: Tensor, as dtype: DType, losses: inout ConversionLosses) {
    self = unsafe EncodedTensor(
      converting: tensor.elements.span.bytes, from: .f32, tensor.shape, to: dtype, losses: &losses)
  }
}

/// Numbers of a part: two f32 arrays of it fit the first-level cache.
private let partCount = 2048

private func convert(
  _ source: UnsafeRawPointer, _ from: DType, _ target: UnsafeMutableRawPointer, _ to: DType,
  _ count: Int, _ losses: inout lyco_losses
) {
  switch (from, to) {
  case (.f16, .bf16): unsafe lyco_f16_to_bf16(source, target, count, &losses)
  case (.bf16, .f16): unsafe lyco_bf16_to_f16(source, target, count, &losses)
  case (.f64, .f32): unsafe narrow(source, target, count, &losses)
  case _ where from == to:
    unsafe target.copyMemory(from: source, byteCount: count * from.bitsPerElement / 8)
  default:
    let (step, newStep) = (from.bitsPerElement / 8, to.bitsPerElement / 8)
    var before = [Float](repeating: 0, count: partCount)
    var after = before
    unsafe before.withUnsafeMutableBufferPointer { before in
      unsafe after.withUnsafeMutableBufferPointer { after in
        guard let before = before.baseAddress, let after = after.baseAddress else { return }
        for start in stride(from: 0, to: count, by: partCount) {
          let count = min(partCount, count - start)
          let (old, new) = unsafe (source + start * step, target + start * newStep)
          if from == .f64 {
            unsafe widenToOdd(old, before, count)
          } else {
            unsafe widen(old, from, before, count)
          }
          unsafe narrow(before, to, new, count)
          unsafe widen(new, to, after, count)
          unsafe lyco_count_losses(before, after, count, to.saturation, &losses)
        }
      }
    }
  }
}

/// Cuts F64 to f32, and sets the last bit of what is not exact: further rounding to a narrower format
/// then ends where that of the F64 number would (Boldo and Melquiond 2008, "Emulation of FMA and
/// correctly rounded sums").
private func widenToOdd(
  _ source: UnsafeRawPointer, _ target: UnsafeMutablePointer<Float>, _ count: Int
) {
  for i in 0..<count {
    let value = unsafe source.loadUnaligned(fromByteOffset: 8 * i, as: Double.self)
    var nearest = Float(value)
    if Double(nearest) != value, !value.isNaN {
      if Double(nearest.magnitude) > value.magnitude {
        nearest = Float(bitPattern: nearest.bitPattern - 1)
      }
      nearest = Float(bitPattern: nearest.bitPattern | 1)
    }
    unsafe target[i] = nearest
  }
}

/// F64 to f32.
private func narrow(
  _ source: UnsafeRawPointer, _ target: UnsafeMutableRawPointer, _ count: Int,
  _ losses: inout lyco_losses
) {
  for i in 0..<count {
    let value = unsafe source.loadUnaligned(fromByteOffset: 8 * i, as: Double.self)
    let nearest = Float(value)
    unsafe target.storeBytes(of: nearest, toByteOffset: 4 * i, as: Float.self)
    if value.isNaN {
      losses.not_a_number += 1
    } else if value.isInfinite {
      losses.infinite += 1
    } else if nearest.isInfinite {
      losses.overflowed += 1
    } else if value != 0 && nearest == 0 {
      losses.underflowed += 1
    } else if Double(nearest) != value {
      losses.rounded += 1
    }
  }
}

extension DType {
  /// The number at which larger ones are held; infinity where they become infinite.
  fileprivate var saturation: Float {
    switch self {
    case .f8e4m3: Float8.e4m3.greatestFinite
    case .f8e5m2: Float8.e5m2.greatestFinite
    default: .infinity
    }
  }
}
