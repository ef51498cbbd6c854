/// The number formats of the safetensors format, by their names in a file header.
///
/// Cases stand in the order of the reference implementation (`safetensors/src/tensor.rs`), which
/// sorts tensors by it, largest first, when it writes a file.
package enum DType: String, CaseIterable, Hashable, Sendable {
  case bool = "BOOL"
  case f4 = "F4"
  case f6e2m3 = "F6_E2M3"
  case f6e3m2 = "F6_E3M2"
  case u8 = "U8"
  case i8 = "I8"
  case f8e5m2 = "F8_E5M2"
  case f8e4m3 = "F8_E4M3"
  case f8e8m0 = "F8_E8M0"
  case f8e4m3fnuz = "F8_E4M3FNUZ"
  case f8e5m2fnuz = "F8_E5M2FNUZ"
  case i16 = "I16"
  case u16 = "U16"
  case f16 = "F16"
  case bf16 = "BF16"
  case i32 = "I32"
  case u32 = "U32"
  case f32 = "F32"
  case c64 = "C64"
  case f64 = "F64"
  case i64 = "I64"
  case u64 = "U64"

  /// Width of one element; below 8 several elements share a byte.
  package var bitsPerElement: Int {
    switch self {
    case .f4: 4
    case .f6e2m3, .f6e3m2: 6
    case .bool, .u8, .i8, .f8e5m2, .f8e4m3, .f8e8m0, .f8e4m3fnuz, .f8e5m2fnuz: 8
    case .i16, .u16, .f16, .bf16: 16
    case .i32, .u32, .f32: 32
    case .c64, .f64, .i64, .u64: 64
    }
  }

  /// Whether `Tensor` can be decoded from it. The others are carried as bytes.
  package var isConvertible: Bool {
    switch self {
    case .f4, .f6e2m3, .f6e3m2, .f8e8m0, .f8e4m3fnuz, .f8e5m2fnuz, .c64: false
    default: true
    }
  }

  /// Whether a weight may be stored in it, so that a delta can be added to what it holds.
  package var isFloatingPoint: Bool {
    switch self {
    case .f64, .f32, .f16, .bf16, .f8e4m3, .f8e5m2: true
    default: false
    }
  }

  /// One of the 8-bit floating-point formats that weights are stored in.
  package var isFloat8: Bool { self == .f8e4m3 || self == .f8e5m2 }
}

extension DType: Comparable {
  private static let ranks = Dictionary(
    uniqueKeysWithValues: allCases.enumerated().map { ($0.element, $0.offset) })

  package static func < (a: DType, b: DType) -> Bool { ranks[a, default: 0] < ranks[b, default: 0] }
}

extension DType: CustomStringConvertible {
  package var description: String { rawValue }
}
