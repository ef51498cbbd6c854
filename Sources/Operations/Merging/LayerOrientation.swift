import Adapters
import Checkpoints
import ModelFamilies
import Tensors

/// Which layers of a base store the transpose of their weight, as the `Conv1D` of GPT-2 does, for an adapter
/// whose configuration says it of all its layers at once.
///
/// PEFT asks each layer for its class, and writes what it found at the last one. Here shapes tell: of a
/// square weight the name, and where names do not, nothing. Source: PEFT `tuners/lora/layer.py`,
/// `dispatch_default`; transformers `pytorch_utils.py`, `Conv1D`.
struct LayerOrientation {
  /// What transformers calls layers of that class.
  private static let names: Set<String> = ["c_attn", "c_proj", "c_fc", "q_attn"]

  /// Names of layers by whether they were found to store the transpose.
  private var found: [Bool: Set<String>] = [true: [], false: []]
  /// Whether the configuration says otherwise than the shape of some layer.
  private var isContradicted = false
  /// Whether some layers of the adapter have names of that class.
  private let hasSuchNames: Bool
  /// Whether a layer of the base stores the transpose, by its bias.
  private let isSuchModel: Bool

  init(of adapter: AdapterFile, in base: BaseModel) {
    let modules = adapter.modules.filter { $0.keepsInputsFirst != nil }
    hasSuchNames = modules.contains { Self.names.contains($0.name.lastPart) }
    guard !modules.isEmpty else {
      isSuchModel = false
      return
    }
    isSuchModel = base.layout.modules.contains { module in
      guard let bias = module.bias, module.shape.dimensions.count == 2 else { return false }
      let count = base.shape(of: bias).count
      return count == module.shape.columns && count != module.shape.rows
    }
    for module in modules {
      guard let stated = module.keepsInputsFirst,
        let shape = (try? MergePlace(of: module.name, in: base))?.weight.shape,
        shape.dimensions.count == 2, shape.rows != shape.columns
      else { continue }
      let fits = (try? module.check(base: shape)) != nil
      let isTransposed = fits ? stated : !stated
      guard fits || Self.turned(module, to: shape) != nil else { continue }
      found[isTransposed]?.insert(module.name.lastPart)
      if !fits { isContradicted = true }
    }
  }

  /// The module for a weight as the base stores it.
  /// - Throws: `NoPlace` where the configuration cannot be right for all layers, and nothing tells of this one
  func oriented(_ module: AdapterModule, for shape: Shape) throws(NoPlace) -> AdapterModule {
    guard let stated = module.keepsInputsFirst, shape.dimensions.count == 2 else { return module }
    guard shape.rows == shape.columns else {
      return (try? module.check(base: shape)) != nil
        ? module : Self.turned(module, to: shape) ?? module
    }
    let name = module.name.lastPart
    let isSuch = found[true]!.contains(name)
    let isOther = found[false]!.contains(name)
    let expected: Bool
    if isSuch != isOther {
      expected = isSuch
    } else if Self.names.contains(name), isSuchModel {
      expected = true
    } else if isContradicted || isSuch || (stated && hasSuchNames && !Self.names.contains(name)) {
      throw NoPlace(
        "'fan_in_fan_out' is not right for all layers of the file, and a square weight does not tell "
          + "whether it is stored transposed; merge it in PEFT")
    } else {
      expected = stated
    }
    guard expected != stated else { return module }
    guard var turned = module.transposed() else { return module }
    turned.keepsInputsFirst = expected
    return turned
  }

  private static func turned(_ module: AdapterModule, to shape: Shape) -> AdapterModule? {
    guard var turned = module.transposed(), (try? turned.check(base: shape)) != nil else {
      return nil
    }
    turned.keepsInputsFirst = module.keepsInputsFirst.map { !$0 }
    return turned
  }
}

extension String {
  /// `c_attn` of `h.0.attn.c_attn`
  fileprivate var lastPart: String {
    String(lastIndex(of: ".").map { self[index(after: $0)...] } ?? self[...])
  }
}
