/// The number formats of the safetensors format, by their names in a file header.
///
/// Cases stand in the order of the reference implementation (`safetensors/src/tensor.rs`), which
/// sorts tensors by it, largest first, when it writes a file. Formats may be added.
@nonexhaustive
public enum DType: String, CaseIterable, Hashable, Sendable {
  /// One byte per truth value, 0 or 1.
  case bool = "BOOL"
  /// 4-bit float of two exponent bits and one of the significand, two to a byte.
  case f4 = "F4"
  /// 6-bit float of two exponent bits, four to three bytes.
  case f6e2m3 = "F6_E2M3"
  /// 6-bit float of three exponent bits, four to three bytes.
  case f6e3m2 = "F6_E3M2"
  /// Unsigned integer of 8 bits.
  case u8 = "U8"
  /// Signed integer of 8 bits.
  case i8 = "I8"
  /// 8-bit float of five exponent bits, with infinities; up to 57344.
  case f8e5m2 = "F8_E5M2"
  /// 8-bit float of four exponent bits, without infinities; up to 448.
  case f8e4m3 = "F8_E4M3"
  /// A power of two in 8 bits: the scale of a block in the OCP's MX formats.
  case f8e8m0 = "F8_E8M0"
  /// 8-bit float of four exponent bits, without infinities and negative zero.
  case f8e4m3fnuz = "F8_E4M3FNUZ"
  /// 8-bit float of five exponent bits, without infinities and negative zero.
  case f8e5m2fnuz = "F8_E5M2FNUZ"
  /// Signed integer of 16 bits.
  case i16 = "I16"
  /// Unsigned integer of 16 bits.
  case u16 = "U16"
  /// IEEE 754 binary16, torch's `half`.
  case f16 = "F16"
  /// The upper half of binary32, torch's `bfloat16`.
  case bf16 = "BF16"
  /// Signed integer of 32 bits.
  case i32 = "I32"
  /// Unsigned integer of 32 bits.
  case u32 = "U32"
  /// IEEE 754 binary32, which is Swift's `Float`.
  case f32 = "F32"
  /// Complex number of two binary32.
  case c64 = "C64"
  /// IEEE 754 binary64, which is Swift's `Double`.
  case f64 = "F64"
  /// Signed integer of 64 bits.
  case i64 = "I64"
  /// Unsigned integer of 64 bits.
  case u64 = "U64"

  /// Width of one element; below 8 several elements share a byte.
  public var bitsPerElement: Int {
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
  public var isConvertible: Bool {
    switch self {
    case .f4, .f6e2m3, .f6e3m2, .f8e8m0, .f8e4m3fnuz, .f8e5m2fnuz, .c64: false
    default: true
    }
  }

  /// Whether a weight may be stored in it, so that a delta can be added to what it holds.
  public var isFloatingPoint: Bool {
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

  /// Whether `a` stands before `b` in the order of the reference implementation.
  public static func < (a: DType, b: DType) -> Bool { ranks[a, default: 0] < ranks[b, default: 0] }
}

extension DType: CustomStringConvertible {
  /// The name in a file header: `BF16`.
  public var description: String { rawValue }
}
