import OrderedCollections
import Safetensors
package import Tensors

/// One weight that is stored as codes, with what belongs to it.
package struct QuantizedWeight: Sendable {
  private enum Reading: Sendable {
    case scaled(WeightScaling)
    case fourBit(FourBitCodes)
    case blocks(BlockCodes)
    /// Why it is not read.
    case refused(String)
  }

  package let quantization: Quantization
  /// The key of the weight; of a weight whose codes stand under another name that which it would have.
  package let key: String
  /// Of the weight; of codes that are not read their own.
  package let shape: Shape
  /// What the weight was stored in before it was quantized, where the file tells.
  package let format: DType?
  /// Keys of all tensors that belong to it beside the codes.
  package let companions: [String]
  /// nil where codes have another name than the weight.
  private let codes: TensorView?
  private let reading: Reading

  /// - Parameter tensors: all of the file.
  /// - Throws: `CheckpointError.scaleShape`
  init?(
    _ key: String, _ quantization: Quantization, in tensors: OrderedDictionary<String, TensorView>
  ) throws(CheckpointError) {
    let layer = key.hasSuffix(".weight") ? String(key.dropLast(".weight".count)) : key
    let stem = quantization.isOfLayer ? layer : key
    func companion(_ ending: String) -> TensorView? { tensors[stem + ending] }
    let codes = tensors[key]
    var (shape, format) = (codes?.shape ?? [], DType?.none)
    let reading: Reading
    do throws(QuantizationFault) {
      switch quantization.rule {
      case .refused(let reason): reading = .refused(reason)
      case .scaled:
        guard let codes, codes.dtype.isFloat8 || codes.dtype == .i8 else {
          throw QuantizationFault("its codes are no 8-bit numbers")
        }
        try Self.requirePlainCodes(companion)
        let endings = WeightScaling.endings + [WeightScaling.rowMaximum]
        guard let scale = endings.compactMap(companion).first else {
          // ComfyUI reads a float without a scale as it is.
          if codes.dtype.isFloat8 { return nil }
          throw QuantizationFault("the file lacks its scale")
        }
        guard scale.dtype.isFloatingPoint else {
          throw QuantizationFault(
            "'\(scale.name)': expected scales of a floating-point dtype, found \(scale.dtype), as "
              + "mxfp8 has them, without ComfyUI's 'comfy_quant' that tells their order")
        }
        do throws(CheckpointError) {
          reading = .scaled(try WeightScaling(scale, for: codes))
        } catch {
          throw QuantizationFault.shape(error)
        }
      case .fourBit(let kind):
        let found = try FourBitCodes(try codes.required("codes"), kind, companion)
        (shape, format) = (found.shape, found.format)
        reading = .fourBit(found)
      case .blocks(let kind):
        try Self.requirePlainCodes(companion)
        let found = try BlockCodes(try codes.required("codes"), kind, companion)
        shape = found.shape
        reading = .blocks(found)
      }
    } catch {
      if let error = error.shapeError { throw error }
      reading = .refused(error.text)
    }
    self.reading = reading
    self.quantization = quantization
    self.key = key
    self.shape = shape
    self.format = format
    self.codes = codes
    companions = quantization.companions.map { stem + $0 }.filter { tensors[$0] != nil }
  }

  /// Floats of 8 bits that are not read.
  /// - Parameter reason: why.
  init(refusing codes: TensorView, _ reason: String) {
    reading = .refused(reason)
    quantization = Quantization("fp8", .scaled)
    (key, shape, format) = (codes.name, codes.shape, nil)
    (self.codes, companions) = (codes, [])
  }

  /// Codes can be those of other numbers than the weight: ComfyUI's rotated ones, bitsandbytes' in the
  /// order of a kernel.
  /// - Throws: `QuantizationFault`
  private static func requirePlainCodes(
    _ companion: (String) -> TensorView?
  ) throws(QuantizationFault) {
    if let view = companion(Quantization.description) {
      let description = try JSONValue(description: view)
      let isRotated = [description, description["params"]].contains {
        $0?["convrot"] == .bool(true)
      }
      guard !isRotated else {
        throw QuantizationFault("its codes are those of rotated weights (ConvRot)")
      }
    }
    if let order = companion(".weight_format"), order.hasData, order.dtype.isConvertible,
      order.tensor().elements.contains(where: { $0 != 0 })
    {
      throw QuantizationFault("its codes stand in the order of a kernel, not by rows")
    }
  }

  /// Why its numbers are not known; nil where they are.
  package var refusal: String? {
    if case .refused(let reason) = reading { reason } else { nil }
  }

  /// The scales of a weight that can be quantized again without another choice than they; nil for
  /// any other.
  package var scaling: WeightScaling? {
    if case .scaled(let scaling) = reading { scaling } else { nil }
  }

  /// The values of elements, counted over rows.
  /// - Precondition: `refusal` is nil.
  package func values(_ elements: Range<Int>) -> Tensor {
    switch (reading, codes) {
    case (.scaled(let scaling), let codes?):
      return scaling.dequantize(
        Tensor([elements.count], codes.numbers(elements)), from: elements.lowerBound)
    case (.fourBit(let codes), _): return codes.values(elements)
    case (.blocks(let codes), _): return codes.values(elements)
    default: preconditionFailure("'\(key)': codes of \(quantization.name) read")
    }
  }

  /// All values.
  /// - Precondition: `refusal` is nil.
  package func values() -> Tensor { values(0..<shape.count).reshaped(shape) }
}
