package import Tensors

/// An array as numpy's `.npy` holds it, little endian and row-major.
package struct NumpyArray: Equatable, Sendable {
  /// Formats that caches have.
  package enum Kind: String, CaseIterable, Sendable {
    case float16 = "<f2"
    case float32 = "<f4"
    case float64 = "<f8"
    case int32 = "<i4"
    case int64 = "<i8"
    case uint8 = "|u1"
    case bool = "|b1"

    var width: Int {
      switch self {
      case .uint8, .bool: 1
      case .float16: 2
      case .float32, .int32: 4
      case .float64, .int64: 8
      }
    }
  }

  package let kind: Kind
  package let shape: Shape
  package let bytes: [UInt8]

  private static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

  private init(_ kind: Kind, _ shape: Shape, _ bytes: [UInt8]) {
    (self.kind, self.shape, self.bytes) = (kind, shape, bytes)
  }

  package init(_ tensor: Tensor) { self.init(.float32, tensor.shape, tensor.encoded(as: .f32)) }

  package init(_ integers: [Int]) {
    let bytes = integers.flatMap { value in
      (0..<8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
    }
    self.init(.int64, [integers.count], bytes)
  }

  package init(_ numbers: [Double]) {
    let bytes = numbers.flatMap { number in
      (0..<8).map { UInt8(truncatingIfNeeded: number.bitPattern >> ($0 * 8)) }
    }
    self.init(.float64, [numbers.count], bytes)
  }

  /// Whole numbers.
  package init(integers: Tensor) {
    self.init(.int64, integers.shape, Self(integers.elements.map { Int($0) }).bytes)
  }

  /// An array without axes.
  package init(_ flag: Bool) { self.init(.bool, [], [flag ? 1 : 0]) }

  /// The bytes of a text.
  package init(_ text: String) { self.init(.uint8, [text.utf8.count], Array(text.utf8)) }

  // MARK: Files

  /// The content of a `.npy` file; nil with what is wrong in `fault`.
  init?(file: [UInt8], fault: inout String) {
    guard file.starts(with: Self.magic), file.count >= 12 else {
      fault = "no array of numpy"
      return nil
    }
    let isShort = file[6] == 1
    let start = isShort ? 10 : 12
    let length = (8..<start).reversed().reduce(0) { $0 << 8 | Int(file[$1]) }
    guard length <= file.count - start else {
      fault = "an array whose head is cut short"
      return nil
    }
    let head = String(decoding: file[start..<start + length], as: UTF8.self)
    guard let kind = Self.entry("descr", of: head).flatMap(Kind.init) else {
      fault = "an array of another format: \(head.trimmed)"
      return nil
    }
    guard head.contains("'fortran_order': False"), let shape = Self.shape(of: head) else {
      fault = "an array of another layout: \(head.trimmed)"
      return nil
    }
    let count = shape.reduce((1, false)) { product, extent in
      let (value, overflow) = product.0.multipliedReportingOverflow(by: extent)
      return (value, product.1 || overflow || value > file.count)
    }
    let bytes = Array(file[(start + length)...])
    guard !count.1, count.0 * kind.width == bytes.count else {
      fault = "\(bytes.count) bytes for shape \(Shape(shape))"
      return nil
    }
    self.init(kind, Shape(shape), bytes)
  }

  /// A `.npy` file, as numpy writes it.
  var file: [UInt8] {
    let extents = shape.dimensions
    let shape =
      extents.count == 1
      ? "(\(extents[0]),)" : "(\(extents.map(String.init).joined(separator: ", ")))"
    var head = "{'descr': '\(kind.rawValue)', 'fortran_order': False, 'shape': \(shape), }"
    // The data starts at a multiple of 64, behind a line break.
    let padding = 63 - (Self.magic.count + 4 + head.utf8.count) % 64
    head += String(repeating: " ", count: padding) + "\n"
    let length = head.utf8.count
    return Self.magic + [1, 0, UInt8(length & 0xFF), UInt8(length >> 8)] + Array(head.utf8) + bytes
  }

  private static func entry(_ key: String, of head: String) -> String? {
    let parts = head.components(separatedBy: "'\(key)': '", limit: 2)
    guard parts.count == 2 else { return nil }
    return String(parts[1].prefix { $0 != "'" })
  }

  private static func shape(of head: String) -> [Int]? {
    let parts = head.components(separatedBy: "'shape': (", limit: 2)
    guard parts.count == 2 else { return nil }
    let extents = parts[1].prefix { $0 != ")" }.split(separator: ",").map { String($0).trimmed }
      .filter { !$0.isEmpty }.map { Int($0).flatMap { $0 >= 0 ? $0 : nil } }
    return extents.contains { $0 == nil } ? nil : extents.compactMap { $0 }
  }

  // MARK: Content

  /// nil for integers.
  package var tensor: Tensor? {
    let dtype: DType
    switch kind {
    case .float16: dtype = .f16
    case .float32: dtype = .f32
    case .float64: dtype = .f64
    case .int32, .int64, .uint8, .bool: return nil
    }
    return EncodedTensor(dtype, shape, bytes).decoded()
  }

  /// Numbers of any format.
  package var numbers: [Double] {
    if let tensor { return tensor.elements.map(Double.init) }
    return stride(from: 0, to: bytes.count, by: kind.width).map { start in
      let bits = bytes[start..<start + kind.width].reversed().reduce(UInt64(0)) {
        $0 << 8 | UInt64($1)
      }
      switch kind {
      case .int32: return Double(Int32(truncatingIfNeeded: bits))
      case .int64: return Double(Int64(bitPattern: bits))
      default: return Double(bits)
      }
    }
  }

  /// Numbers of any format.
  package var numeric: Tensor { tensor ?? Tensor(shape, numbers.map { Float($0) }) }

  package var text: String { String(decoding: bytes, as: UTF8.self) }
}
