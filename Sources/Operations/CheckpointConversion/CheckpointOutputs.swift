import Checkpoints
import ModelFamilies
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors

/// The tensors of a converted checkpoint, gathered one by one.
struct CheckpointOutputs {
  private(set) var outputs: [CheckpointOutput] = []
  private(set) var onlyInFirst: [String] = []
  private(set) var extended: [String] = []
  /// Of every tensor that is a sum, what patterns know it by.
  private(set) var summedNames: [[String]] = []
  /// Tensors that were looked for in other checkpoints.
  private(set) var comparedCount = 0
  private let sources: [BaseModel]
  private let settings: CheckpointConversionSettings
  private let formats: ConversionFormats
  private let layers: [String: [(module: FamilyModule, isBias: Bool)]]
  private var counterparts: [Counterparts]
  /// Weights whose codes are kept as they are, with all that belongs to them.
  let keptCodes: Set<String>
  private let quantizationKeys: Set<String>

  init(_ sources: [BaseModel], _ settings: CheckpointConversionSettings) throws {
    let first = sources[0]
    self.sources = sources
    self.settings = settings
    formats = ConversionFormats(settings.storage, of: first.layout)
    var layers: [String: [(module: FamilyModule, isBias: Bool)]] = [:]
    if sources.count > 1 {
      for module in first.layout.modules {
        layers[module.weight.key, default: []].append((module, false))
        if let bias = module.bias { layers[bias.key, default: []].append((module, true)) }
      }
      for key in layers.keys {
        layers[key]?.sort {
          ($0.module.weight.rows?.lowerBound ?? 0) < ($1.module.weight.rows?.lowerBound ?? 0)
        }
      }
    }
    self.layers = layers
    counterparts = sources.dropFirst().map { Counterparts(of: first, in: $0, layers: layers) }
    let quantized = first.quantized
    quantizationKeys = quantized.keys
    let copies = sources.count == 1 && settings.storage == nil
    if !copies { for source in sources { try source.requireReadable() } }
    switch settings.storage {
    case nil: keptCodes = copies ? Set(quantized.weights.keys) : []
    case .scaledFloat8 where sources.count == 1:
      keptCodes = Set(
        quantized.weights.filter {
          $1.scaling?.isPerTensor == true && first.file.tensors[$0]?.dtype == .f8e4m3
        }.keys)
    default: keptCodes = []
    }
    if settings.extractsAverages,
      !first.file.tensors.keys.contains(where: { $0.hasPrefix(PrunedPart.averagePrefix) })
    {
      throw CheckpointConversionError.noAverages(first.file.path)
    }
    if settings.pruned.contains(.nonModel), first.layout.family == .generic {
      throw CheckpointConversionError.unknownModel(first.file.path)
    }
  }

  /// Why a key of the first is left out; nil if it is not.
  func reasonToDrop(_ key: String) -> PrunedPart? {
    if settings.extractsAverages && key.hasPrefix(PrunedPart.averagePrefix) { return .ema }
    return PrunedPart.allCases.first {
      settings.pruned.contains($0) && $0.drops(key, of: sources[0].layout)
    }
  }

  /// - Throws: `CheckpointConversionError.shapes`, `.wider`
  mutating func add(_ key: String, _ stored: TensorView) throws {
    guard !quantizationKeys.contains(key) || keepsQuantizationKey(key) else { return }
    let view = settings.extractsAverages ? average(of: key) ?? stored : stored
    let quantized = view.name == key ? sources[0].quantized.weights[key] : nil
    guard view.dtype.isFloatingPoint || quantized != nil, view.shape.count > 0,
      !quantizationKeys.contains(key), !keptCodes.contains(key)
    else { return append(.copied(view), key, view.dtype, view.shape) }
    let numbers = StoredNumbers(view, quantized)
    let dtype = formats.format(of: key, quantized.map { $0.format ?? .bf16 } ?? view.dtype)
    guard sources.count > 1 else {
      let isSame = quantized == nil && dtype == view.dtype && !isScaled(key)
      return append(isSame ? .copied(view) : .converted(numbers), key, dtype, numbers.shape)
    }
    let content = try sum(key, numbers)
    if case .converted(let only) = content, let view = only.plainView, view.dtype == dtype,
      view.shape == stored.shape, !isScaled(key)
    {
      return append(.copied(view), key, dtype, view.shape)
    }
    append(content, key, dtype, numbers.shape)
  }

  /// Adds the marker that tells ComfyUI of scaled weights.
  mutating func finish() {
    guard outputs.contains(where: \.isScaled) else { return }
    let names = Set(outputs.map(\.info.name))
    let prefixes = Set(outputs.filter(\.isScaled).map { Self.modelPrefix(of: $0.info.name) })
    for prefix in prefixes.sorted() where !names.contains(prefix + WeightScaling.marker) {
      // Two elements ask for products at full precision, none for products of 8-bit numbers, which
      // needs scales of inputs (ComfyUI `convert_old_quants`).
      let marker = EncodedTensor(Tensor(zeros: [2]), as: .f8e4m3)
      append(.made(marker), prefix + WeightScaling.marker, marker.dtype, marker.shape)
    }
  }

  /// Keys of other checkpoints that no tensor of the first has asked for.
  var unusedKeys: [String] {
    zip(sources.dropFirst(), counterparts).flatMap { source, counterparts in
      let quantizationKeys = source.quantized.keys
      return source.file.tensors.keys.filter { key in
        !counterparts.usedKeys.contains(key) && !quantizationKeys.contains(key)
          && sources[0].file.tensors[key] == nil
      }
    }
  }

  // MARK: Sums

  private mutating func sum(
    _ key: String, _ numbers: StoredNumbers
  ) throws -> CheckpointOutput.Content {
    let names = [key] + (layers[key] ?? []).map(\.module.path)
    summedNames.append(names)
    let role = sources[0].layout.role(ofKey: key)
    let coefficients = settings.arithmetic.coefficients(
      for: names, role: role, sources: sources.count)
    comparedCount += 1
    let others = try counterparts.indices.map {
      try counterparts[$0].numbers(for: key, numbers.shape)
    }
    guard others.contains(where: { $0 != nil }) else {
      onlyInFirst.append(key)
      return .converted(numbers)
    }
    if settings.arithmetic.method == .addDifference, others.contains(where: { $0 == nil }) {
      return .converted(numbers)
    }
    var terms = [CheckpointOutput.Term(coefficient: coefficients[0], numbers: numbers)]
    for (coefficient, other) in zip(coefficients.dropFirst(), others) where coefficient != 0 {
      if let other {
        terms.append(CheckpointOutput.Term(coefficient: coefficient, numbers: other))
      } else {
        terms[0].coefficient += coefficient
      }
    }
    let narrow = terms.map { $0.numbers.shape }.filter { $0.count < numbers.shape.count }
    if let narrowest = narrow.map(\.columns).min() {
      extended.append(key)
      return .sum(terms, columns: narrowest)
    }
    terms.removeAll { $0.coefficient == 0 }
    return terms.count == 1 && terms[0].coefficient == 1
      ? .converted(terms[0].numbers) : .sum(terms, columns: nil)
  }

  // MARK: Scales

  private func isScaled(_ key: String) -> Bool {
    settings.storage == .scaledFloat8 && formats.narrowKeys.contains(key)
  }

  private mutating func append(
    _ content: CheckpointOutput.Content, _ key: String, _ dtype: DType, _ shape: Shape
  ) {
    var output = CheckpointOutput(
      info: TensorInfo(name: key, dtype: dtype, shape: shape), content: content)
    if isScaled(key), !keptCodes.contains(key), key.hasSuffix(".weight") {
      output.isScaled = true
      let scale = key.dropLast(".weight".count) + WeightScaling.endings[0]
      outputs.append(
        CheckpointOutput(
          info: TensorInfo(name: String(scale), dtype: .f32, shape: []), content: .scale(of: key)))
    }
    outputs.append(output)
  }

  /// Whether a scale, or what belongs to one, stays with the weight it is for.
  private func keepsQuantizationKey(_ key: String) -> Bool {
    guard let owner = sources[0].quantized.owners[key] else {
      // What speaks of the whole file stays while something in it is quantized.
      return !keptCodes.isEmpty || sources.count == 1 && settings.storage == nil
    }
    return keptCodes.contains(owner)
  }

  /// What stands before the names of the denoiser's own tensors.
  private static func modelPrefix(of key: String) -> String {
    for prefix in ["model.diffusion_model.", "diffusion_model."] where key.hasPrefix(prefix) {
      return prefix
    }
    return key.lastIndex(of: "/").map { String(key[...$0]) } ?? ""
  }

  // MARK: Averages

  /// The moving average of a weight, as the original training code names it: without dots.
  private func average(of key: String) -> TensorView? {
    let prefix = "model."
    guard key.hasPrefix(prefix) else { return nil }
    let name = PrunedPart.averagePrefix + key.dropFirst(prefix.count).filter { $0 != "." }
    guard let view = sources[0].file.tensors[name],
      view.shape == sources[0].file.tensors[key]?.shape
    else { return nil }
    return view
  }
}
