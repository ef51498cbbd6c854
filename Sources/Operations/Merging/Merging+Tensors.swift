import Adapters
import Checkpoints
import ModelFamilies
import OrderedCollections
import Safetensors
import Tensors

extension Merging {
  /// One tensor of the output.
  enum Output: Sendable {
    case copied(TensorView)
    case merged(MergedTensor)

    var byteCount: Int {
      switch self {
      case .copied(let view): view.byteCount
      case .merged(let merged): merged.tensor.bytes.count
      }
    }
  }

  struct MergedTensor: Sendable {
    let tensor: EncodedTensor
    /// Whether it is the last part of a tensor that an adapter changed.
    var completesAdapted = false
    var overflowed = 0
    /// Of a tensor of 8-bit numbers that an adapter changed: how many kept their code, of how many.
    var float8Unchanged = 0
    var float8Count = 0
    /// nil where nothing changed, or it is not asked for.
    var measure: ChangeMeasure?
  }

  /// What is computed at once: a tensor of the output, or a strip of its rows.
  struct Part: Sendable {
    let info: TensorInfo
    /// Its name in the base.
    let key: String
    /// nil for the whole tensor.
    let rows: Range<Int>?
    let isLast: Bool
  }

  /// Every tensor of the output, under the names of the base.
  var outputs: [TensorInfo] {
    let base = plan.base
    let kept = base.file.tensors.values.filter { !expansion.dropped.contains($0.name) }.map {
      let stored = $0.dtype.isFloatingPoint ? storage ?? $0.dtype : $0.dtype
      let format = expansion.format(of: $0.name)
      let shape = format == nil ? $0.shape : base.shape(of: ParameterSlot(key: $0.name))
      return TensorInfo(
        name: $0.name, dtype: format ?? stored, shape: plan.extensions[$0.name] ?? shape)
    }
    return kept
      + plan.newBiases.map {
        TensorInfo(name: $0, dtype: storage ?? $1.dtype, shape: $1.shape)
      }
  }

  /// A tensor that changes, in strips where its rows are independent; any other one whole.
  func parts(of info: TensorInfo, key: String) -> [Part] {
    let whole = [Part(info: info, key: key, rows: nil, isLast: true)]
    guard let view = plan.base.file.tensors[key], !info.shape.dimensions.isEmpty else {
      return whole
    }
    let contributions = plan.contributions[key] ?? []
    let isCopied =
      contributions.isEmpty && view.dtype == info.dtype && !expansion.contains(key)
    guard !isCopied, !isRequantized(key), scaledWeights[key] == nil,
      plan.extensions[key] == nil, contributions.allSatisfy(\.worksByRows)
    else { return whole }
    let strips = (0..<info.shape.rows).strips(of: info.shape.columns)
    guard strips.count > 1 else { return whole }
    return strips.map {
      Part(info: info, key: key, rows: $0, isLast: $0.upperBound == info.shape.rows)
    }
  }

  /// Computes one part of the output in its format.
  /// - Throws: `CheckpointError`
  func output(_ part: Part) throws -> Output {
    let (key, dtype) = (part.key, part.info.dtype)
    let view = plan.base.file.tensors[key]
    if let weight = scaledWeights[key], plan.contributions[weight] != nil {
      let scales = try quantized(weight).scales
      return .merged(
        MergedTensor(tensor: EncodedTensor(scales, as: dtype), completesAdapted: true))
    }
    let isAdapted = plan.contributions[key] != nil || plan.extensions[key] != nil
    if let view, !isAdapted, view.dtype == dtype, !expansion.contains(key) { return .copied(view) }
    let isScaled = isAdapted && isRequantized(key)
    let weight = try isScaled ? quantized(key).codes : adapted(key, part.rows)
    var merged = MergedTensor(tensor: EncodedTensor(weight, as: dtype))
    guard isAdapted else { return .merged(merged) }
    merged.completesAdapted = part.isLast
    if measures {
      merged.measure = try measure(
        key, part.rows, adapted: isScaled ? adapted(key, part.rows) : weight,
        stored: isScaled ? nil : merged.tensor)
    }
    if dtype == .f16 { merged.overflowed = merged.tensor.infiniteHalfCount }
    if dtype.isFloat8 || isScaled, let view, view.dtype == dtype, !expansion.contains(key),
      plan.extensions[key] == nil
    {
      let start = (part.rows?.lowerBound ?? 0) * part.info.shape.columns
      let before = view.bytes
      merged.float8Count = merged.tensor.bytes.count
      merged.float8Unchanged = merged.tensor.bytes.indices.count {
        unsafe before.unsafeLoad(fromByteOffset: start + $0, as: UInt8.self)
          == merged.tensor.bytes[$0]
      }
    }
    return .merged(merged)
  }

  /// Whether a weight of codes is written as codes again if it changes.
  private func isRequantized(_ key: String) -> Bool {
    !expansion.contains(key) && plan.base.quantized.weights[key]?.scaling != nil
  }

  /// A scaled 8-bit weight with its adapters, as codes and scales anew. The scales stand before
  /// the weights in the file, so both are computed twice rather than kept.
  private func quantized(_ key: String) throws -> (codes: Tensor, scales: Tensor) {
    guard let scaling = plan.base.quantized.weights[key]?.scaling else {
      preconditionFailure("'\(key)' has no scale")
    }
    return scaling.quantize(try adapted(key, nil))
  }
}

extension MergeReport {
  mutating func add(_ output: Merging.Output) {
    switch output {
    case .copied: copiedTensors += 1
    case .merged(let merged):
      if merged.completesAdapted { changedTensors += 1 }
      overflowed += merged.overflowed
      float8Count += merged.float8Count
      float8Unchanged += merged.float8Unchanged
    }
  }
}
