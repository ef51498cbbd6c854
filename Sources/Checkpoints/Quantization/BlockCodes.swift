import Safetensors
import Tensors

/// Small floating-point numbers of which each block of a row has a scale, as ComfyUI stores them.
///
/// The scales stand in the order of tensor cores: tiles of 128 rows × 4 blocks, in a tile 32 lines of 16, line `r`
/// with the blocks of the rows `r`, `r + 32`, `r + 64` and `r + 96`; padded to whole tiles. nvfp4 is E2M1 in halves of
/// bytes, the first in the upper one, with an E4M3 scale for 16 numbers and one F32 for the weight; mxfp8 is E4M3 with a
/// power of two for 32. Rows and columns are those stored, which are padded to a multiple of 16 or 32.
///
/// Source: comfy_kitchen `backends/eager/quantization.py` (`dequantize_nvfp4`, `dequantize_mxfp8`), `float_utils.py`
/// (`from_blocked`).
package struct BlockCodes: Sendable {
  package enum Kind: Equatable, Sendable {
    case nvfp4
    case mxfp8

    fileprivate var blockSize: Int { self == .nvfp4 ? 16 : 32 }
    fileprivate var codesPerByte: Int { self == .nvfp4 ? 2 : 1 }

    /// The value of each code.
    fileprivate var table: [Float] {
      switch self {
      case .nvfp4: [0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6]
      case .mxfp8: Float8.e4m3.values
      }
    }

    /// The value of each code of a scale: E4M3, or a power of two without a sign, of which the last code is NaN.
    fileprivate var scales: [Float] {
      switch self {
      case .nvfp4: Float8.e4m3.values
      case .mxfp8:
        (0..<255).map { Float(sign: .plus, exponent: $0 - 127, significand: 1) } + [.nan]
      }
    }
  }

  let shape: Shape
  private let kind: Kind
  private let codes: TensorView
  private let scales: TensorView
  private let tensorScale: Float

  /// - Throws: `QuantizationFault`
  init(
    _ codes: TensorView, _ kind: Kind, _ tensors: (String) -> TensorView?
  ) throws(QuantizationFault) {
    guard codes.shape.dimensions.count == 2, codes.dtype.bitsPerElement == 8 else {
      throw QuantizationFault(
        "expected a matrix of bytes, found \(codes.dtype) \(codes.shape)")
    }
    let columns = codes.shape.columns * kind.codesPerByte
    guard columns > 0, columns % kind.blockSize == 0 else {
      throw QuantizationFault(
        "expected rows of a multiple of \(kind.blockSize) numbers, found \(columns)")
    }
    shape = [codes.shape.rows, columns]
    scales = try tensors(".weight_scale").required("weight_scale")
    let expected =
      (shape.rows + 127) / 128 * 128 * ((columns / kind.blockSize + 3) / 4 * 4)
    guard scales.dtype.bitsPerElement == 8, scales.shape.count == expected else {
      throw QuantizationFault(
        "'\(scales.name)': expected \(expected) scales of 8 bit, found \(scales.dtype) "
          + "\(scales.shape)")
    }
    if kind == .nvfp4 {
      let scale = try tensors(".weight_scale_2").required("weight_scale_2")
      try scale.requireNumbers(1, "one number")
      tensorScale = scale.tensor().elements[0]
    } else {
      tensorScale = 1
    }
    guard tensors(".pre_quant_scale") == nil else {
      throw QuantizationFault("its inputs are scaled too, by 'pre_quant_scale'")
    }
    self.codes = codes
    self.kind = kind
  }

  /// The values of elements, counted over rows.
  func values(_ elements: Range<Int>) -> Tensor {
    let (table, scaleTable) = (kind.table, kind.scales)
    let scales = self.scales.bytes(0..<self.scales.byteCount)
    let perByte = kind.codesPerByte
    let firstByte = elements.lowerBound / perByte
    let bytes = codes.bytes(firstByte..<(elements.upperBound + perByte - 1) / perByte)
    var values = Tensor(zeros: [elements.count])
    var target = values.elements.mutableSpan
    let columns = shape.columns
    var (block, scale) = (-1, Float(0))
    for i in target.indices {
      let element = elements.lowerBound + i
      // Blocks fill rows.
      if element / kind.blockSize != block {
        block = element / kind.blockSize
        let place = place(row: element / columns, block: element % columns / kind.blockSize)
        scale = tensorScale * scaleTable[Int(scales[place])]
      }
      let byte = bytes[element / perByte - firstByte]
      let code = perByte == 1 ? byte : element % 2 == 0 ? byte >> 4 : byte & 15
      target[i] = table[Int(code)] * scale
    }
    return values
  }

  /// Where the scale of a block stands.
  private func place(row: Int, block: Int) -> Int {
    let tilesPerRow = (shape.columns / kind.blockSize + 3) / 4
    let tile = row / 128 * tilesPerRow + block / 4
    return tile * 512 + row % 32 * 16 + row % 128 / 32 * 4 + block % 4
  }
}
