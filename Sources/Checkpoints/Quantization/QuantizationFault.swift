import Safetensors
import Tensors

/// What is wrong with the tensors beside codes: then the codes are not read.
struct QuantizationFault: Error {
  let text: String
  /// A scale of another shape than any that is known, which is an error of the file.
  private(set) var shapeError: CheckpointError?

  init(_ text: String) { self.text = text }

  static func shape(_ error: CheckpointError) -> QuantizationFault {
    var fault = QuantizationFault("\(error)")
    fault.shapeError = error
    return fault
  }
}

extension TensorView? {
  /// - Throws: `QuantizationFault` if the file has no such tensor.
  func required(_ name: String) throws(QuantizationFault) -> TensorView {
    guard let self else { throw QuantizationFault("the file lacks its '\(name)'") }
    return self
  }
}

extension TensorView {
  /// - Throws: `QuantizationFault`
  func requireNumbers(_ count: Int, _ what: String) throws(QuantizationFault) {
    guard dtype.isConvertible, shape.count == count else {
      throw QuantizationFault(
        "'\(name)': expected \(count) numbers, \(what), found \(dtype) \(shape)")
    }
  }

  /// A copy of bytes of the data.
  func bytes(_ range: Range<Int>) -> [UInt8] { Array(copying: bytes.extracting(range)) }

  /// Numbers of the data, widened.
  /// - Precondition: `dtype.isConvertible`
  func numbers(_ range: Range<Int>) -> [Float] {
    let width = dtype.bitsPerElement / 8
    return Tensor(
      decoding: bytes.extracting(range.lowerBound * width..<range.upperBound * width), as: dtype,
      shape: [range.count]
    ).elements
  }
}

extension JSONValue {
  /// Longest description of a weight that is read.
  private static let limit = 1 << 16

  /// The JSON that stands as bytes in a tensor.
  /// - Throws: `QuantizationFault`
  init(description view: TensorView) throws(QuantizationFault) {
    guard view.dtype.bitsPerElement == 8, view.byteCount <= Self.limit, view.hasData,
      let value = JSONValue(
        parsing: String(decoding: view.bytes(0..<view.byteCount), as: UTF8.self))
    else { throw QuantizationFault("'\(view.name)' is no JSON") }
    self = value
  }

  /// - Throws: `QuantizationFault`
  func size(_ key: String) throws(QuantizationFault) -> Int {
    guard let size = self[key]?.integer, size > 0, size <= 1 << 20 else {
      throw QuantizationFault("its 'quant_state' tells no '\(key)'")
    }
    return size
  }
}
