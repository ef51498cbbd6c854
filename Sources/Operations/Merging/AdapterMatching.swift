import Adapters
import Checkpoints
import Machine
import ModelFamilies
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors

/// Finds the place of every adapter module in a base.
struct AdapterMatching {
  private let base: BaseModel
  private let settings: MergeSettings
  let names: FamilyNames?
  /// Dotted names of the layers that modules have found.
  private(set) var paths: [String] = []
  private(set) var contributions: [String: [MergeContribution]] = [:]
  private(set) var newBiases: [String: (dtype: DType, shape: Shape)] = [:]
  private(set) var extensions: [String: Shape] = [:]
  private(set) var unmatched: [UnmatchedModule] = []
  private(set) var matched = 0
  private(set) var skipped = 0

  init(_ base: BaseModel, _ settings: MergeSettings) {
    self.base = base
    self.settings = settings
    names = FamilyNames(of: base.layout.family)
  }

  /// Notes the shapes to which an adapter extends weights. That comes before any matching: all
  /// adapters see the extended weight.
  mutating func extend(for adapter: WeightedAdapter) {
    for module in adapter.file.modules where module.views[reshapeSuffix.name] != nil {
      guard let place = try? MergePlace(of: module.name, in: base),
        let shape = try? extendedShape(of: module, at: place),
        (try? module.check(base: shape)) != nil,
        multiplier(of: adapter, for: module, at: place) != 0,
        settings.filter.keeps(place.layers[0].path),
        shape != place.weight.shape, extensions[place.layers[0].weight.key] == nil
      else { continue }
      extensions[place.layers[0].weight.key] = shape
      if let bias = place.layers[0].bias, base.shape(of: bias) == [place.weight.shape.rows],
        shape.rows != place.weight.shape.rows
      {
        extensions[bias.key] = [shape.rows]
      }
    }
  }

  /// - Parameter index: the place of the adapter on the command line, from 0.
  /// - Throws: `CheckpointError.duplicateModule`, `.notConvertible`
  mutating func add(_ adapter: WeightedAdapter, at index: Int) throws(CheckpointError) {
    let path = adapter.file.file.path
    for key in adapter.file.unrecognized where !key.hasPrefix(AdapterKey.bundlePrefix) {
      note(
        key, in: path,
        RefusedFormat.recognize(key).map { "tensor of \($0.format.text)" }
          ?? "tensor of no known algorithm")
    }
    var placed: [String: [(target: MergeTarget, module: AdapterModule)]] = [:]
    for (module, place, weight, bias) in found(adapter) {
      let keys = Set(place.weight.parts.map(\.slot.key))
      let rivals = keys.flatMap { placed[$0] ?? [] }.filter { $0.target.overlaps(place.weight) }
      if !rivals.isEmpty {
        // Some trainers write a layer under the names of two tools, or in parts beside the whole.
        for other in rivals {
          let isSame =
            other.target == place.weight
            ? module.hasSameContents(as: other.module)
            : try other.module.changesRows(of: other.target, as: module, changes: place.weight)
          guard isSame else {
            throw .duplicateModule(
              path, layer: place.path, modules: [other.module.name, module.name])
          }
        }
        skipped += 1
        continue
      }
      paths += place.layers.map(\.path)
      for key in keys { placed[key, default: []].append((place.weight, module)) }
      let multiplier = multiplier(of: adapter, for: module, at: place)
      let kept = place.layers.indices.filter { settings.filter.keeps(place.layers[$0].path) }
      guard multiplier != 0, !kept.isEmpty else {
        skipped += 1
        continue
      }
      if let assertion = module.algorithm.assertion, !settings.assertions.contains(assertion) {
        note(module.name, in: path, assertion.reason)
        continue
      }
      matched += 1
      if module.changesWeight {
        try contribute(
          module, of: index, to: weight, at: place, kept, isBias: false, multiplier)
      }
      guard let bias else { continue }
      for part in kept where place.layers[part].bias == nil {
        addBias(bias.parts[part].slot.key, of: place.layers[part], bias.parts[part].rows.count)
      }
      try contribute(module, of: index, to: bias, at: place, kept, isBias: true, multiplier)
    }
  }

  private typealias Found = (
    module: AdapterModule, place: MergePlace, weight: MergeTarget, bias: MergeTarget?
  )

  /// The modules that have a place, those of whole weights before those of parts of them.
  private mutating func found(_ adapter: WeightedAdapter) -> [Found] {
    var found: [Found] = []
    let orientation = LayerOrientation(of: adapter.file, in: base)
    for module in adapter.file.modules {
      do throws(NoPlace) {
        let place = try MergePlace(of: module.name, in: base)
        let module = try orientation.oriented(module, for: place.weight.shape)
        let (weight, bias) = try targets(of: module, at: place)
        found.append((module, place, weight, bias))
      } catch {
        note(module.name, in: adapter.file.file.path, error.reason)
      }
    }
    return found.enumerated().sorted {
      (-$0.element.place.weight.shape.rows, $0.offset)
        < (-$1.element.place.weight.shape.rows, $1.offset)
    }.map(\.element)
  }

  private func multiplier(
    of adapter: WeightedAdapter, for module: AdapterModule, at place: MergePlace
  ) -> Float {
    let ratio =
      place.role == .text ? adapter.textEncoderRatio : adapter.denoiserRatio
    return ratio * (adapter.blockWeights?.weight(of: module.name, in: names) ?? 1)
  }

  /// The weight, and the bias where it changes one, that a module fits.
  private func targets(
    of module: AdapterModule, at place: MergePlace
  ) throws(NoPlace) -> (weight: MergeTarget, bias: MergeTarget?) {
    let before = place.weight.shape
    let extended = extensions[place.layers[0].weight.key]
    let asked = try extendedShape(of: module, at: place)
    if let asked, let extended, asked != extended {
      throw NoPlace("it extends the weight to \(asked), another adapter to \(extended)")
    }
    let bias = try module.biasView == nil ? nil : biasTarget(at: place)
    let shape = extended ?? asked ?? before
    guard shape != before else {
      try check(module, shape, bias)
      return (place.weight, bias)
    }
    let grows = place.layers[0].bias.map { extensions[$0.key] != nil } ?? true
    let extendedBias = grows ? bias?.extended(to: [shape.rows]) : bias
    do throws(NoPlace) {
      try check(module, shape, extendedBias)
      return (place.weight.extended(to: shape), extendedBias)
    } catch {
      // What asks for no extension may be made for the weight as it was.
      guard asked == nil, (try? check(module, before, bias)) != nil else { throw error }
      return (place.weight, bias)
    }
  }

  private func check(
    _ module: AdapterModule, _ shape: Shape, _ bias: MergeTarget?
  ) throws(NoPlace) {
    do throws(CheckpointError) {
      try module.check(base: shape, bias: bias?.shape)
    } catch {
      throw NoPlace(error, shape)
    }
  }

  /// The shape to which a module extends its weight; nil if it does not.
  private func extendedShape(
    of module: AdapterModule, at place: MergePlace
  ) throws(NoPlace) -> Shape? {
    let before = place.weight.shape
    let asked: Shape?
    do throws(CheckpointError) {
      asked = try module.extendedShape()
    } catch {
      throw NoPlace(error, before)
    }
    guard let asked, asked != before else { return asked }
    guard place.weight.isWholeTensor else {
      throw NoPlace("it extends the weight to \(asked), which is but a part of a layer here")
    }
    guard asked.dimensions.count == before.dimensions.count,
      zip(before.dimensions, asked.dimensions).allSatisfy({ $0 <= $1 })
    else { throw NoPlace("it extends the weight to \(asked), for a base weight \(before)") }
    guard
      settings.storage != nil
        || base.quantized.weights[place.layers[0].weight.key]?.scaling == nil
    else {
      throw NoPlace(
        "it extends the weight to \(asked), and that of the base has scales for its rows; "
          + "'--save_precision bf16' extends it")
    }
    return asked
  }

  /// The biases of a place, those of layers that get one included.
  private func biasTarget(at place: MergePlace) throws(NoPlace) -> MergeTarget {
    var slots: [(slot: ParameterSlot, shape: Shape)] = []
    for layer in place.layers {
      if let bias = layer.bias {
        slots.append((bias, base.shape(of: bias)))
        continue
      }
      guard layer.weight.rows == nil, !layer.weight.isTransposed else {
        throw NoPlace("a change of a bias that the fused layer does not have")
      }
      let weight = layer.weight.key
      let name = weight.hasSuffix(".weight") ? String(weight.dropLast(".weight".count)) : weight
      slots.append((ParameterSlot(key: name + ".bias"), [layer.shape.rows]))
    }
    return MergeTarget(slots)
  }

  /// Where a layer without a bias gets one: in the format of its weight, codes and 8-bit weights in that which
  /// the weight had, or F16.
  private mutating func addBias(_ key: String, of layer: FamilyModule, _ count: Int) {
    let dtype = base.file.tensors[layer.weight.key]?.dtype ?? .f32
    let isNumber = dtype.isFloatingPoint && !dtype.isFloat8
    let quantized = base.quantized.weights[layer.weight.key]
    let format = quantized.map { $0.format ?? .f16 } ?? (isNumber ? dtype : .f16)
    newBiases[key] = (format, [count])
  }

  /// - Parameter kept: indices of the parts that change.
  private mutating func contribute(
    _ module: AdapterModule, of adapter: Int, to target: MergeTarget, at place: MergePlace,
    _ kept: [Int], isBias: Bool, _ multiplier: Float
  ) throws(CheckpointError) {
    for part in target.parts {
      let key = part.slot.key
      guard let view = base.file.tensors[key] else { continue }
      if let weight = base.quantized.weights[key] {
        guard settings.storage != nil || weight.scaling != nil || weight.format != nil else {
          throw .quantizedFormat(view.file, weight.quantization.name, weight: key)
        }
      } else if !view.dtype.isFloatingPoint {
        throw .notConvertible(view.file, tensor: key, view.dtype)
      }
    }
    for index in kept {
      let part = target.parts[index]
      contributions[part.slot.key, default: []].append(
        MergeContribution(
          module: module, adapter: adapter, layer: place.layers[index], target: target, part: part,
          isBias: isBias, multiplier: multiplier))
    }
  }

  private mutating func note(_ module: String, in path: FilePath, _ reason: String) {
    unmatched.append(UnmatchedModule(file: path.text, module: module, reason: reason))
  }
}
