package import Safetensors
package import Tensors

/// The scales that go with codes of 8 bit, floating-point or whole: value = code · scale.
///
/// Written by ComfyUI (`<layer>.scale_weight`, later `weight_scale`, one number or one per row), by
/// musubi-tuner (also one per block of a row, `[out, blocks, 1]`) and by bitsandbytes (`SCB`, the largest magnitude of
/// each row: value = code · SCB / 127).
package struct WeightScaling: Sendable {
  /// Endings that replace `.weight` in the key of the scale.
  package static let endings = [".scale_weight", ".weight_scale"]
  /// Endings of further tensors that describe a scaled layer and are not parameters.
  package static let companions = [".scale_input", ".input_scale", Quantization.description]
  /// ComfyUI's marker, an empty tensor of the format used.
  package static let marker = "scaled_fp8"
  /// The largest magnitude of a row, as bitsandbytes stores it.
  static let rowMaximum = ".SCB"

  package let view: TensorView

  /// Numbers that share a scale: all of them, a row, or a part of a row.
  private let groupSize: Int
  /// What a stored scale is multiplied with.
  private let unit: Float
  /// Format of the codes.
  private let codeFormat: DType

  /// - Throws: `CheckpointError.scaleShape` if the scale is neither one number, one per row nor one
  ///   per equal part of a row.
  init(_ view: TensorView, for codes: TensorView) throws(CheckpointError) {
    let weight = codes.shape
    let count = view.shape.count
    let perRow = count / max(weight.rows, 1)
    let fits =
      count == 1
      || (view.shape.rows == weight.rows && perRow > 0 && weight.columns % perRow == 0)
    guard view.dtype.isFloatingPoint, fits else {
      throw .scaleShape(view.file, tensor: view.name, weight: weight, found: view.shape)
    }
    self.view = view
    groupSize = weight.count / max(count, 1)
    unit = view.name.hasSuffix(Self.rowMaximum) ? 1 / 127 : 1
    codeFormat = codes.dtype
  }

  /// The largest code.
  private var limit: Float {
    switch codeFormat {
    case .f8e4m3: Float8.e4m3.greatestFinite
    case .f8e5m2: Float8.e5m2.greatestFinite
    default: 127
    }
  }

  /// The weight's values from its codes read as numbers.
  /// - Parameter start: the element of the weight that `codes` begin with.
  package func dequantize(_ codes: consuming Tensor, from start: Int = 0) -> Tensor {
    var weight = codes
    let scales = view.tensor().elements
    let count = weight.count
    var next = 0
    while next < count {
      let group = (start + next) / groupSize
      let end = min(count, (group + 1) * groupSize - start)
      let scale = scales[group] * unit
      for i in next..<end { weight.elements[i] *= scale }
      next = end
    }
    return weight
  }

  /// Whether it is one number for the whole weight, under the name that every version of ComfyUI
  /// reads.
  package var isPerTensor: Bool { view.shape.count == 1 && view.name.hasSuffix(Self.endings[0]) }

  /// Codes (as numbers, to be narrowed) and scales, each scale such that the largest magnitude of
  /// its group meets the largest number of the format. A group of zeros keeps the scale 1.
  package func quantize(_ weight: consuming Tensor) -> (codes: Tensor, scales: Tensor) {
    var codes = weight
    var scales = Tensor(zeros: view.shape)
    for group in 0..<scales.count {
      let range = group * groupSize..<(group + 1) * groupSize
      var largest: Float = 0
      for i in range { largest = max(largest, abs(codes.elements[i])) }
      // The scale is stored in the format of the old one: divide by what a reader will see.
      let exact = largest > 0 ? largest / (limit * unit) : 1
      let scale = EncodedTensor(Tensor(scalar: exact), as: view.dtype).decoded().elements[0]
      scales.elements[group] = scale
      for i in range { codes.elements[i] /= scale * unit }
    }
    return (codes, scales)
  }
}
