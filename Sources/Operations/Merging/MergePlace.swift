import Checkpoints
import LinearAlgebra
import ModelFamilies
import Tensors

/// Why a module has no place in a base, or no name in a format.
struct NoPlace: Error {
  let reason: String

  init(_ reason: String) { self.reason = reason }

  /// - Parameter shape: of the weight that the module was to change.
  init(_ error: CheckpointError, _ shape: Shape) {
    if case .module(_, _, let error) = error {
      reason = "\(error), for a base weight \(shape)"
    } else {
      reason = "\(error)"
    }
  }
}

/// The layer that an adapter module means; several where the base keeps its rows apart.
struct MergePlace {
  /// In the order of the rows.
  let layers: [FamilyModule]
  let weight: MergeTarget

  /// - Throws: `NoPlace` if the name means no layer, or several that are not parts of one.
  init(of name: String, in base: BaseModel) throws(NoPlace) {
    let found = base.layout.modules(named: name)
    guard found.isEmpty else {
      guard found.count == 1 else {
        throw NoPlace(
          "name of \(found.count) layers: " + found.map(\.path).joined(separator: ", "))
      }
      try self.init(found)
      return
    }
    let split = base.layout.split(named: name)
    guard let parts = split.first, split.count == 1 else {
      throw NoPlace(
        split.isEmpty
          ? "no such layer in a \(base.layout.family.name) base"
          : "name of \(split.count) layers in parts: "
            + split.compactMap(\.parts.first?.path).joined(separator: ", "))
    }
    guard parts.missing.isEmpty else {
      throw NoPlace(
        "of the parts of this layer the base lacks " + parts.missing.joined(separator: ", "))
    }
    try self.init(parts.parts)
  }

  /// One layer by itself.
  init(_ layer: FamilyModule) {
    layers = [layer]
    weight = MergeTarget([(slot: layer.weight, shape: layer.shape)])
  }

  private init(_ layers: [FamilyModule]) throws(NoPlace) {
    guard Set(layers.map { $0.shape.dimensions.dropFirst() }).count == 1 else {
      throw NoPlace(
        "the base keeps this layer in parts of different widths: "
          + layers.map { "\($0.path) \($0.shape)" }.joined(separator: ", "))
    }
    self.layers = layers
    weight = MergeTarget(layers.map { (slot: $0.weight, shape: $0.shape) })
  }

  var role: ComponentRole { layers[0].role }

  /// The weight, its parts joined.
  /// - Throws: `CheckpointError.notConvertible`
  func values(in base: BaseModel) throws(CheckpointError) -> Tensor {
    let parts = try weight.parts.map { part throws(CheckpointError) in try base.tensor(part.slot) }
    guard parts.count > 1 else { return parts[0].reshaped(weight.shape) }
    return Tensor.stacked(parts.map { $0.reshaped($0.shape.asMatrix) }).reshaped(weight.shape)
  }

  /// The biases, if all layers have one.
  func bias(in base: BaseModel) -> MergeTarget? {
    let biases = layers.compactMap(\.bias)
    guard biases.count == layers.count else { return nil }
    return MergeTarget(biases.map { (slot: $0, shape: base.shape(of: $0)) })
  }

  /// `double_blocks.0.img_attn.qkv`; of parts `attn.to_q + attn.to_k`; of halves the name once.
  var path: String {
    var paths: [String] = []
    for layer in layers where paths.last != layer.path { paths.append(layer.path) }
    return paths.joined(separator: " + ")
  }
}
