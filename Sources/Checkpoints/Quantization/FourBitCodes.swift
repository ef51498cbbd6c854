import Safetensors
import Tensors

/// Weights that bitsandbytes stores in 4 bits: `table[code] · absmax` of the block that the number is in.
///
/// Two codes share a byte, the first in the upper half; blocks run over rows. With nested quantization
/// the maxima are codes themselves: `absmax = map[code] · nestedAbsmax + offset`. All tensors are `<weight>.…`, and
/// JSON in `<weight>.quant_state.bitsandbytes__nf4` has the shape and the sizes of blocks.
///
/// Source: bitsandbytes `functional.py`, `QuantState.as_dict`, `dequantize_4bit`, `get_4bit_type`.
package struct FourBitCodes: Sendable {
  package enum Kind: String, Equatable, Sendable {
    case nf4
    case fp4

    /// The value of each code, as published; readers do not look at the map that a file holds.
    var table: [Float] {
      switch self {
      case .nf4:
        [
          -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
          -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0,
          0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
          0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1,
        ]
      case .fp4:
        [0, 0.0625, 8, 12, 4, 6, 2, 3, -0, -0.0625, -8, -12, -4, -6, -2, -3].map { $0 / 12 }
      }
    }
  }

  /// Maxima of blocks that are stored as codes.
  private struct Nesting: Sendable {
    let map: [Float]
    let absmax: TensorView
    let blockSize: Int
    let offset: Float
  }

  let shape: Shape
  /// What the weight was stored in before; nil if that is no format of a checkpoint.
  let format: DType?
  private let codes: TensorView
  private let table: [Float]
  private let absmax: TensorView
  private let blockSize: Int
  private let nesting: Nesting?

  /// - Throws: `QuantizationFault`
  init(
    _ codes: TensorView, _ kind: Kind, _ tensors: (String) -> TensorView?
  ) throws(QuantizationFault) {
    let state = try JSONValue(
      description: try tensors(".quant_state.bitsandbytes__\(kind)").required("quant_state"))
    guard let extents = state["shape"]?.elements.map(\.integer), !extents.isEmpty,
      extents.allSatisfy({ $0.map { $0 > 0 } ?? false })
    else { throw QuantizationFault("its 'quant_state' tells no shape") }
    let count = Shape.product(extents.compactMap { $0 })
    shape = Shape(extents.compactMap { $0 })
    guard count / 2 + count % 2 == codes.byteCount else {
      throw QuantizationFault(
        "expected \(count / 2 + count % 2) bytes of codes for a weight \(shape), found \(codes.byteCount)"
      )
    }
    blockSize = try state.size("blocksize")
    let map = try tensors(".quant_map").required("quant_map")
    table = kind.table
    guard map.dtype.isConvertible, map.shape.count == table.count,
      zip(map.tensor().elements, table).allSatisfy({ abs($0 - $1) < 1e-4 })
    else {
      throw QuantizationFault(
        "'\(map.name)' is not the map of \(kind.rawValue), which programs take without looking at it"
      )
    }
    absmax = try tensors(".absmax").required("absmax")
    let blocks = (count + blockSize - 1) / blockSize
    try absmax.requireNumbers(blocks, "one number per block of \(blockSize)")
    nesting = try Self.nesting(of: absmax, count: blocks, state, tensors)
    self.codes = codes
    format = state["dtype"].flatMap { Self.formats[$0.text] }
  }

  private static let formats: [String: DType] = [
    "bfloat16": .bf16, "float16": .f16, "float32": .f32, "bfloa16": .bf16,
  ]

  private static func nesting(
    of absmax: TensorView, count: Int, _ state: JSONValue, _ tensors: (String) -> TensorView?
  ) throws(QuantizationFault) -> Nesting? {
    guard let outer = tensors(".nested_absmax") else {
      guard absmax.dtype.isFloatingPoint else {
        throw QuantizationFault("'\(absmax.name)' has codes, and the file no 'nested_absmax'")
      }
      return nil
    }
    guard absmax.dtype == .u8 else {
      throw QuantizationFault("'\(absmax.name)': expected U8 codes, found \(absmax.dtype)")
    }
    let map = try tensors(".nested_quant_map").required("nested_quant_map")
    try map.requireNumbers(256, "one number per code")
    let blockSize = try state.size("nested_blocksize")
    try outer.requireNumbers(
      (count + blockSize - 1) / blockSize, "one number per block of \(blockSize)")
    guard let offset = state["nested_offset"].flatMap({ Float($0.text) }), offset.isFinite else {
      throw QuantizationFault("its 'quant_state' tells no 'nested_offset'")
    }
    return Nesting(
      map: map.tensor().elements, absmax: outer, blockSize: blockSize, offset: offset)
  }

  /// The values of elements, counted over rows.
  func values(_ elements: Range<Int>) -> Tensor {
    guard !elements.isEmpty else { return Tensor(zeros: [0]) }
    let firstBlock = elements.lowerBound / blockSize
    let maxima = maxima(firstBlock..<(elements.upperBound - 1) / blockSize + 1)
    let firstByte = elements.lowerBound / 2
    let bytes = codes.bytes(firstByte..<(elements.upperBound + 1) / 2)
    var values = Tensor(zeros: [elements.count])
    var target = values.elements.mutableSpan
    for i in target.indices {
      let element = elements.lowerBound + i
      let byte = bytes[element / 2 - firstByte]
      let code = element % 2 == 0 ? byte >> 4 : byte & 15
      target[i] = table[Int(code)] * maxima[element / blockSize - firstBlock]
    }
    return values
  }

  private func maxima(_ blocks: Range<Int>) -> [Float] {
    guard let nesting else { return absmax.numbers(blocks) }
    let first = blocks.lowerBound / nesting.blockSize
    let outer = nesting.absmax.numbers(first..<(blocks.upperBound - 1) / nesting.blockSize + 1)
    return zip(blocks, absmax.bytes(blocks)).map { block, code in
      nesting.map[Int(code)] * outer[block / nesting.blockSize - first] + nesting.offset
    }
  }
}
