import Checkpoints
import Safetensors
import Tensors

/// The numbers of one tensor, where a checkpoint has them: in a tensor, in some rows of one, or in
/// several that follow each other.
struct StoredNumbers: Sendable {
  struct Part: Sendable {
    let view: TensorView
    /// Of the elements of `view`.
    let elements: Range<Int>
    /// How its codes are read; nil if it has numbers.
    let quantized: QuantizedWeight?
  }

  let shape: Shape
  /// In order.
  let parts: [Part]

  /// A whole tensor.
  init(_ view: TensorView, _ quantized: QuantizedWeight?) {
    shape = quantized?.shape ?? view.shape
    parts = [Part(view: view, elements: 0..<shape.count, quantized: quantized)]
  }

  init(_ shape: Shape, _ parts: [Part]) {
    self.shape = shape
    self.parts = parts
  }

  /// The tensor, if its stored numbers are the values.
  var plainView: TensorView? {
    guard parts.count == 1, parts[0].quantized == nil, parts[0].elements.count == shape.count else {
      return nil
    }
    return parts[0].view
  }

  /// Elements, counted over all parts, as numbers in a row.
  func values(_ range: Range<Int>) -> Tensor {
    var values: [Tensor] = []
    forEachPart(of: range) { part, elements in
      values.append(
        part.quantized?.values(elements)
          ?? Tensor(
            decoding: part.view.bytes.extracting(part.view.bytes(of: elements)),
            as: part.view.dtype, shape: [elements.count]))
    }
    guard values.count != 1 else { return values[0] }
    return Tensor([range.count], values.flatMap(\.elements))
  }

  /// Whether both have the same bytes there, in one format.
  func isStoredLike(_ other: StoredNumbers, in range: Range<Int>) -> Bool {
    guard let a = plainView, let b = other.plainView, a.dtype == b.dtype else { return false }
    return a.bytes.extracting(a.bytes(of: range))
      .isEqual(to: b.bytes.extracting(b.bytes(of: range)))
  }

  private func forEachPart(of range: Range<Int>, _ body: (Part, Range<Int>) -> Void) {
    var start = 0
    for part in parts {
      let common = range.clamped(to: start..<start + part.elements.count)
      if !common.isEmpty {
        let shift = part.elements.lowerBound - start
        body(part, common.lowerBound + shift..<common.upperBound + shift)
      }
      start += part.elements.count
    }
  }
}

extension TensorView {
  /// Where elements stand in `bytes`.
  /// - Precondition: elements fill whole bytes.
  func bytes(of elements: Range<Int>) -> Range<Int> {
    let width = dtype.bitsPerElement / 8
    return elements.lowerBound * width..<elements.upperBound * width
  }
}
