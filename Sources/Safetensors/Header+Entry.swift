import SystemPackage
import Tensors

extension Header.Entry {
  /// Reads `{"dtype": …, "shape": […], "data_offsets": [begin, end]}`; other members are ignored.
  init(_ name: String, reading json: inout JSONReader) throws(SafetensorsError) {
    let file = json.file
    var dtype: DType?
    var shape: [Int]?
    var offsets: [Int]?
    var isFirst = true
    try json.openObject()
    while let field = try json.nextKey(&isFirst) {
      switch field {
      case "dtype":
        try Self.check(dtype == nil, name, field, file)
        let found = try json.readString()
        guard let known = DType(rawValue: found) else {
          throw .unknownDType(file, tensor: name, found: found)
        }
        dtype = known
      case "shape":
        try Self.check(shape == nil, name, field, file)
        shape = try Self.integers(&json, name, field)
      case "data_offsets":
        try Self.check(offsets == nil, name, field, file)
        offsets = try Self.integers(&json, name, field)
      default: try json.skipValue()
      }
    }
    guard let dtype else { throw .missingField(file, tensor: name, field: "dtype") }
    guard let shape else { throw .missingField(file, tensor: name, field: "shape") }
    guard let offsets else { throw .missingField(file, tensor: name, field: "data_offsets") }
    guard offsets.count == 2 else {
      throw .offsetCount(file, tensor: name, found: offsets.count)
    }
    try self.init(name, dtype, Shape(shape), from: offsets[0], to: offsets[1], file)
  }

  private init(
    _ name: String, _ dtype: DType, _ shape: Shape, from begin: Int, to end: Int, _ file: FilePath
  ) throws(SafetensorsError) {
    guard begin <= end else {
      throw .reversedOffsets(file, tensor: name, begin: begin, end: end)
    }
    guard let bits = Self.bitCount(dtype, shape) else {
      throw .shapeOverflow(file, tensor: name, dtype: dtype, shape: shape)
    }
    guard bits.isMultiple(of: 8) else {
      throw .partialByte(file, tensor: name, dtype: dtype, shape: shape)
    }
    guard end - begin == bits / 8 else {
      throw .sizeMismatch(
        file, tensor: name, dtype: dtype, shape: shape, expected: bits / 8, found: end - begin)
    }
    self.name = name
    self.dtype = dtype
    self.shape = shape
    range = begin..<end
  }

  /// `nil` if it exceeds an `Int`. Extents of 0 do not excuse the others, so that no product of
  /// some of the extents can overflow later.
  private static func bitCount(_ dtype: DType, _ shape: Shape) -> Int? {
    var bits = dtype.bitsPerElement
    for extent in shape.dimensions where extent > 0 {
      let (product, overflow) = bits.multipliedReportingOverflow(by: extent)
      guard !overflow else { return nil }
      bits = product
    }
    return shape.dimensions.contains(0) ? 0 : bits
  }

  private static func check(
    _ isFirst: Bool, _ name: String, _ field: String, _ file: FilePath
  ) throws(SafetensorsError) {
    guard isFirst else { throw .duplicateField(file, tensor: name, field: field) }
  }

  /// An array of unsigned integers, written without fraction, exponent or sign.
  private static func integers(
    _ json: inout JSONReader, _ name: String, _ field: String
  ) throws(SafetensorsError) -> [Int] {
    var integers: [Int] = []
    var isFirst = true
    try json.openArray()
    while try json.nextElement(&isFirst) {
      let number = try json.readNumber()
      guard let integer = Int(number), integer >= 0, number != "-0" else {
        throw .notUnsigned(json.file, tensor: name, field: field, found: number)
      }
      integers.append(integer)
    }
    return integers
  }
}
