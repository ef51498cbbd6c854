import ModelFamilies
import OrderedCollections
package import Safetensors
import SystemPackage
import Tensors

/// The weights of a checkpoint that are stored as codes, found by the tensors beside them, by ComfyUI's
/// descriptions and by formats that no weight has.
package struct QuantizedWeights: Sendable {
  /// By the key of the weight.
  package private(set) var weights: [String: QuantizedWeight]
  /// Weights by the keys of what belongs to them.
  package let owners: [String: String]
  /// Keys that say of the whole file how it is quantized, and inputs of layers without codes.
  private let markers: Set<String>

  /// - Complexity: O(tensors · signs)
  /// - Throws: `CheckpointError.scaleShape`
  package init(of file: TensorFile) throws(CheckpointError) {
    let found = Self.quantizations(in: file)
    var weights: [String: QuantizedWeight] = [:]
    var owners: [String: String] = [:]
    for (key, quantization) in found.sorted(by: { $0.key < $1.key }) {
      guard let weight = try QuantizedWeight(key, quantization, in: file.tensors) else { continue }
      weights[key] = weight
      for companion in weight.companions { owners[companion] = key }
    }
    self.weights = weights
    self.owners = owners
    markers = Set(
      file.tensors.keys.filter { key in
        key.hasSuffix(WeightScaling.marker)
          || (owners[key] == nil
            && WeightScaling.companions.contains { ending in
              key.hasSuffix(ending)
                && file.tensors[key.dropLast(ending.count) + ".weight"]?.dtype.isFloat8 == true
            })
      })
  }

  /// Refuses 8-bit floats that have no scale, in a component whose other layers have theirs: read as they are they would
  /// count many times too much. Of models that are not known nobody can tell a layer from a table.
  /// - Parameter layout: of the same file.
  mutating func refuseUnscaled(_ layout: ModelLayout, in file: TensorFile) {
    let scaled = Set(
      weights.values.filter { $0.scaling != nil }.compactMap { layout.component(ofKey: $0.key) })
    guard !scaled.isEmpty, layout.family != .generic else { return }
    for module in layout.modules
    where module.kind == .linear && scaled.contains(module.component) {
      let key = module.weight.key
      guard weights[key] == nil, let codes = file.tensors[key], codes.dtype.isFloat8 else {
        continue
      }
      weights[key] = QuantizedWeight(
        refusing: codes, "the file has no scale that goes with it, as with its other layers")
    }
  }

  /// Keys that are no parameters, but describe how weights are quantized.
  package var keys: Set<String> { markers.union(owners.keys) }

  /// - Throws: `CheckpointError.quantized` if there are codes that are not read.
  func requireReadable(in file: FilePath) throws(CheckpointError) {
    guard weights.values.allSatisfy({ $0.refusal == nil }) else { throw refusal(in: file) }
  }

  /// What is said of codes that are not read.
  /// - Precondition: there are such.
  func refusal(in file: FilePath) -> CheckpointError {
    let refused = weights.values.filter { $0.refusal != nil }.sorted { $0.key < $1.key }
    guard let first = refused.first, let reason = first.refusal else {
      preconditionFailure("\(file): no codes that are not read")
    }
    return .quantized(
      file, first.quantization.name,
      weights: refused.count { $0.quantization.name == first.quantization.name }, first: first.key,
      reason: reason)
  }

  /// The quantization of every weight that has one.
  private static func quantizations(in file: TensorFile) -> [String: Quantization] {
    let signs = Quantization.all.enumerated().flatMap { index, quantization in
      quantization.signs.map { (ending: $0, index: index) }
    }
    var indices: [String: Int] = [:]
    for key in file.tensors.keys {
      for sign in signs where key.hasSuffix(sign.ending) {
        let stem = String(key.dropLast(sign.ending.count))
        let owner = Quantization.all[sign.index].isOfLayer ? stem + ".weight" : stem
        indices[owner] = min(indices[owner] ?? .max, sign.index)
      }
    }
    var found = indices.mapValues { Quantization.all[$0] }
    for (layer, word) in QuantizationDescriptions(of: file).words {
      found[layer + ".weight"] =
        Quantization.all.first { $0.word == word }
        ?? Quantization(
          "ComfyUI '\(word)'", companions: WeightScaling.endings + WeightScaling.companions,
          .refused("its rule is not known here"))
    }
    // What only looks like a scale belongs to no weight.
    found = found.filter { key, quantization in
      if quantization.rule == .scaled { file.tensors[key] != nil } else { true }
    }
    // Scales beside plain numbers are of no use to anybody: ComfyUI reads the numbers.
    for (key, quantization) in found {
      guard let view = file.tensors[key] else { continue }
      if view.dtype.isFloatingPoint, !view.dtype.isFloat8,
        quantization.isOfLayer
      {
        found[key] = nil
      }
    }
    for (key, view) in file.tensors
    where found[key] == nil && key.hasSuffix(".weight") && view.shape.dimensions.count > 1
      && !view.dtype.isFloatingPoint && view.dtype != .bool
    {
      found[key] = .unknown(view.dtype)
    }
    return found
  }
}
