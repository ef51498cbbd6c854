import LinearAlgebra
package import ModelFamilies
import OrderedCollections
package import Safetensors
package import SystemPackage
package import Tensors

/// A checkpoint whose tensors have been given their places in a model.
package struct BaseModel: Sendable {
  package let file: TensorFile
  package let layout: ModelLayout
  /// Scales of 8-bit weights, by the key of the weight.
  package let scalings: [String: Float8Scaling]

  /// - Parameter family: what the checkpoint is to be read as; recognized if nil.
  /// - Throws: `SafetensorsError` from opening, `ModelFamilyError` if it is not of that family,
  ///   `CheckpointError.scaleShape`, `.notACheckpoint` for an adapter.
  package init(opening path: FilePath, as family: ModelFamily? = nil) throws {
    try self.init(TensorFile(opening: path), as: family)
  }

  package init(_ file: TensorFile, as family: ModelFamily? = nil) throws {
    if AdapterFile.looksLikeAdapter(file.tensors.keys),
      let adapter = try? AdapterFile(file, .kept), adapter.unrecognized.isEmpty
    {
      throw CheckpointError.notACheckpoint(file.path, modules: adapter.modules.count)
    }
    var scalings: [String: Float8Scaling] = [:]
    var auxiliary: Set<String> = []
    for (key, view) in file.tensors where view.dtype.isFloat8 && key.hasSuffix(".weight") {
      let layer = key.dropLast(".weight".count)
      for ending in Float8Scaling.endings {
        guard let scale = file.tensors[layer + ending] else { continue }
        scalings[key] = try Float8Scaling(scale, weight: view.shape, in: scale.file)
        auxiliary.insert(scale.name)
      }
      for ending in Float8Scaling.companions { auxiliary.insert(layer + ending) }
    }
    let parameters = file.tensors.filter { key, _ in
      !auxiliary.contains(key) && !key.hasSuffix(Float8Scaling.marker)
    }
    self.file = file
    self.scalings = scalings
    layout = try ModelLayout(
      of: parameters.map { (key: $0.key, shape: $0.value.shape) }, as: family)
  }

  /// The values of a parameter, dequantized, outputs for rows; of the rows alone where the slot is a range
  /// of rows.
  /// - Throws: `CheckpointError.notConvertible`
  package func tensor(_ slot: ParameterSlot) throws(CheckpointError) -> Tensor {
    guard let part = plain(slot) else {
      let stored = try tensor(forKey: slot.key)
      let whole = slot.isTransposed ? stored.transposed() : stored
      return slot.rows.map { whole.rows($0) } ?? whole
    }
    return Tensor(
      decoding: part.view.bytes.extracting(part.range), as: part.view.dtype, shape: part.shape)
  }

  /// The shape of a parameter: that of the rows alone where the slot is a range of rows.
  /// - Precondition: the checkpoint has the key.
  package func shape(of slot: ParameterSlot) -> Shape {
    guard let view = file.tensors[slot.key] else { preconditionFailure("no tensor '\(slot.key)'") }
    guard let rows = slot.rows else {
      return slot.isTransposed ? Shape(view.shape.dimensions.reversed()) : view.shape
    }
    return Shape([rows.count] + view.shape.dimensions.dropFirst())
  }

  /// tuned − base of a parameter that both have in equal shape.
  /// - Throws: `CheckpointError.notConvertible`
  package static func difference(
    of tuned: (model: BaseModel, slot: ParameterSlot),
    minus base: (model: BaseModel, slot: ParameterSlot)
  ) throws(CheckpointError) -> Tensor {
    guard let a = tuned.model.plain(tuned.slot), let b = base.model.plain(base.slot) else {
      var difference = try tuned.model.tensor(tuned.slot)
      difference.subtract(try base.model.tensor(base.slot))
      return difference
    }
    return Tensor(
      decoding: a.view.bytes.extracting(a.range), as: a.view.dtype,
      minus: b.view.bytes.extracting(b.range), as: b.view.dtype, shape: a.shape)
  }

  /// Where a slot's numbers stand, if they can be read as they are: rows are contiguous.
  private func plain(
    _ slot: ParameterSlot
  ) -> (view: TensorView, range: Range<Int>, shape: Shape)? {
    guard scalings[slot.key] == nil, !slot.isTransposed, let view = file.tensors[slot.key],
      view.dtype.isConvertible
    else { return nil }
    guard let rows = slot.rows else { return (view, 0..<view.byteCount, view.shape) }
    let width = view.byteCount / max(view.shape.rows, 1)
    return (view, rows.lowerBound * width..<rows.upperBound * width, shape(of: slot))
  }

  /// The values of a tensor, dequantized.
  /// - Throws: `CheckpointError.notConvertible`
  /// - Precondition: the checkpoint has the key.
  package func tensor(forKey key: String) throws(CheckpointError) -> Tensor {
    guard let view = file.tensors[key] else { preconditionFailure("no tensor '\(key)'") }
    guard view.dtype.isConvertible else {
      throw .notConvertible(view.file, tensor: key, view.dtype)
    }
    let stored = view.tensor()
    return scalings[key]?.dequantize(stored) ?? stored
  }

  /// Keys that describe how weights are quantized: scales, input scales, markers.
  package var quantizationKeys: Set<String> {
    var keys = Set(scalings.values.map(\.view.name))
    guard !scalings.isEmpty else { return keys }
    for key in file.tensors.keys
    where key.hasSuffix(Float8Scaling.marker)
      || Float8Scaling.companions.contains(where: { key.hasSuffix($0) })
    {
      keys.insert(key)
    }
    return keys
  }
}
