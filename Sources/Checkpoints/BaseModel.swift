package import LinearAlgebra
package import ModelFamilies
import OrderedCollections
public import Safetensors
public import SystemPackage
package import Tensors

/// A checkpoint whose tensors have been given their places in a model, so that the layers that adapters name
/// are found in it.
/// ```swift
/// let base = try BaseModel(opening: "model.safetensors")
/// for module in try AdapterFile(opening: "adapter.safetensors").modules {
///   guard let weight = try base.weight(of: module) else { continue }
///   let adapted = try module.applied(to: weight, multiplier: 0.7)
///   print(module.name, adapted.squaredDistance(to: weight).squareRoot())
/// }
/// ```
public struct BaseModel: Sendable {
  /// The file itself.
  public let file: TensorFile
  package let layout: ModelLayout
  /// Weights that are stored as codes.
  package let quantized: QuantizedWeights

  /// Opens a checkpoint and recognizes what model it is, by the names and shapes of its tensors.
  /// - Throws: `SafetensorsError` from opening; an error whose description is one line if the file is an
  ///   adapter, or stored as codes that are not read.
  /// - Complexity: O(length of the names)
  public init(opening path: FilePath) throws { try self.init(opening: path, as: nil) }

  /// - Parameter family: what the checkpoint is to be read as; recognized if nil.
  /// - Throws: `SafetensorsError` from opening, `ModelFamilyError` if it is not of that family,
  ///   `CheckpointError.scaleShape`, `.notACheckpoint` for an adapter, `.quantized` where codes that are not read
  ///   hide what the model is.
  package init(opening path: FilePath, as family: ModelFamily?) throws {
    try self.init(TensorFile(opening: path), as: family)
  }

  package init(_ file: TensorFile, as family: ModelFamily? = nil) throws {
    if AdapterFile.looksLikeAdapter(file.tensors.keys),
      let adapter = try? AdapterFile(file, .kept), adapter.unrecognized.isEmpty
    {
      throw CheckpointError.notACheckpoint(file.path, modules: adapter.modules.count)
    }
    var quantized = try QuantizedWeights(of: file)
    let auxiliary = quantized.keys
    let parameters = file.tensors.filter { key, _ in !auxiliary.contains(key) }
    self.file = file
    do throws(ModelFamilyError) {
      layout = try ModelLayout(
        of: parameters.map { key, view in
          (key: key, shape: quantized.weights[key]?.shape ?? view.shape)
        }, as: family)
    } catch {
      try quantized.requireReadable(in: file.path)
      throw error
    }
    quantized.refuseUnscaled(layout, in: file)
    self.quantized = quantized
  }

  /// - Throws: `CheckpointError.quantized` if there are codes whose numbers are not known.
  package func requireReadable() throws(CheckpointError) {
    try quantized.requireReadable(in: file.path)
  }

  /// The values of a parameter, dequantized, outputs for rows; of the rows alone where the slot is a range
  /// of rows.
  /// - Parameter share: for the parts of a large one, as `Tensor.init(decoding:as:shape:sharing:)` has it
  /// - Throws: `CheckpointError.notConvertible`
  package func tensor(
    _ slot: ParameterSlot, sharing share: ((Int, (Int) -> Void) -> Void)? = nil
  ) throws(CheckpointError) -> Tensor {
    guard let part = plain(slot) else {
      if let weight = quantized.weights[slot.key], weight.refusal == nil, let rows = slot.rows,
        !slot.isTransposed
      {
        let width = weight.shape.columns
        return weight.values(rows.lowerBound * width..<rows.upperBound * width)
          .reshaped(shape(of: slot))
      }
      let stored = try tensor(forKey: slot.key)
      let whole = slot.isTransposed ? stored.transposed() : stored
      return slot.rows.map { whole.rows($0) } ?? whole
    }
    return Tensor(
      decoding: part.view.bytes.extracting(part.range), as: part.view.dtype, shape: part.shape,
      sharing: share)
  }

  /// Some of the values of a parameter, as they lie.
  /// - Throws: `CheckpointError.notConvertible`
  /// - Precondition: it has as many.
  package func numbers(
    _ range: Range<Int>, of slot: ParameterSlot
  ) throws(CheckpointError) -> [Float] {
    guard let part = plain(slot), part.view.dtype.bitsPerElement % 8 == 0 else {
      return Array(try tensor(slot).elements[range])
    }
    let width = part.view.dtype.bitsPerElement / 8
    let first = part.range.lowerBound
    return Tensor(
      decoding: part.view.bytes.extracting(
        first + range.lowerBound * width..<first + range.upperBound * width),
      as: part.view.dtype, shape: [range.count]
    ).elements
  }

  /// The shape of a parameter: that of the rows alone where the slot is a range of rows.
  /// - Precondition: the checkpoint has the key.
  package func shape(of slot: ParameterSlot) -> Shape {
    guard let view = file.tensors[slot.key] else { preconditionFailure("no tensor '\(slot.key)'") }
    let shape = quantized.weights[slot.key]?.shape ?? view.shape
    guard let rows = slot.rows else {
      return slot.isTransposed ? Shape(shape.dimensions.reversed()) : shape
    }
    return Shape([rows.count] + shape.dimensions.dropFirst())
  }

  /// Whether a parameter has the same numbers in another checkpoint.
  /// - Throws: `CheckpointError.notConvertible`
  /// - Complexity: O(size of the parameter) where they are the same, else up to the first that is not.
  package func holds(
    _ slot: ParameterSlot, alike other: BaseModel, _ otherSlot: ParameterSlot
  ) throws(CheckpointError) -> Bool {
    if let a = file.tensors[slot.key], let b = other.file.tensors[otherSlot.key],
      a.file == b.file, a.name == b.name, slot == otherSlot
    {
      return true
    }
    guard let a = plain(slot), let b = other.plain(otherSlot), a.view.dtype == b.view.dtype else {
      let (a, b) = (try tensor(slot), try other.tensor(otherSlot))
      return a.elements == b.elements
    }
    defer {
      a.view.releasePages()
      b.view.releasePages()
    }
    return a.view.bytes.extracting(a.range).isEqual(to: b.view.bytes.extracting(b.range))
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

  /// The same as panels of its matrix; nil where the numbers are not read as they are stored.
  /// - Parameter relativeError: that triplets of it are to be found for, if one decides how many.
  package static func panels(
    of tuned: (model: BaseModel, slot: ParameterSlot),
    minus base: (model: BaseModel, slot: ParameterSlot), relativeError: Double? = nil
  ) -> PanelMatrix? {
    guard let a = tuned.model.plain(tuned.slot), let b = base.model.plain(base.slot) else {
      return nil
    }
    let width = a.shape.columns
    let widened = UnsafeMutablePointer<Float>.allocate(capacity: PanelMatrix.longestPart)
    defer { unsafe widened.deallocate() }
    return unsafe PanelMatrix(a.shape, relativeError: relativeError) { row, columns, target in
      unsafe decodeDifference(
        of: a.view.bytes.extracting(a.range), a.view.dtype,
        minus: b.view.bytes.extracting(b.range), b.view.dtype,
        row * width + columns.lowerBound..<row * width + columns.upperBound, into: target,
        by: widened)
    }
  }

  /// Where a slot's numbers stand, if they can be read as they are: rows are contiguous.
  private func plain(
    _ slot: ParameterSlot
  ) -> (view: TensorView, range: Range<Int>, shape: Shape)? {
    guard quantized.weights[slot.key] == nil, !slot.isTransposed, let view = file.tensors[slot.key],
      view.dtype.isConvertible
    else { return nil }
    guard let rows = slot.rows else { return (view, 0..<view.byteCount, view.shape) }
    let width = view.byteCount / max(view.shape.rows, 1)
    return (view, rows.lowerBound * width..<rows.upperBound * width, shape(of: slot))
  }

  /// The values of a tensor, dequantized.
  /// - Throws: `CheckpointError.notConvertible`, `.quantized`
  /// - Precondition: the checkpoint has the key.
  package func tensor(forKey key: String) throws(CheckpointError) -> Tensor {
    let view = try requireReadable(key: key)
    return quantized.weights[key]?.values() ?? view.tensor()
  }

  /// The first of the tensors of some parts of the model that holds NaN or infinity, and the file that it lies in; nil
  /// where all numbers are finite, or are not read.
  /// - Complexity: O(bytes of those tensors)
  package func firstNotFinite(
    _ isAsked: (ComponentRole) -> Bool
  ) -> (file: FilePath, tensor: String)? {
    // As f32 they stay in a processor's cache.
    let part = 1 << 18
    for (key, view) in file.tensors {
      guard !quantized.keys.contains(key), layout.role(ofKey: key).map(isAsked) ?? false else {
        continue
      }
      let slot = ParameterSlot(key: key)
      let count = quantized.weights[key]?.shape.count ?? view.shape.count
      let isPlain = quantized.weights[key] == nil
      for start in stride(from: 0, to: count, by: isPlain ? part : max(count, 1)) {
        let numbers =
          isPlain
          ? try? numbers(start..<min(start + part, count), of: slot)
          : try? tensor(forKey: key).elements
        guard numbers?.allSatisfy(\.isFinite) ?? true else { return (view.file, key) }
      }
      view.releasePages()
    }
    return nil
  }

  /// Finds out whether a tensor's numbers can be read.
  /// - Throws: `CheckpointError.notConvertible`, `.quantized`
  /// - Precondition: the checkpoint has the key.
  @discardableResult
  package func requireReadable(key: String) throws(CheckpointError) -> TensorView {
    guard let view = file.tensors[key] else { preconditionFailure("no tensor '\(key)'") }
    if let weight = quantized.weights[key] {
      guard weight.refusal == nil else { throw quantized.refusal(in: view.file) }
      return view
    }
    guard view.dtype.isConvertible else {
      throw .notConvertible(view.file, tensor: key, view.dtype)
    }
    return view
  }
}
