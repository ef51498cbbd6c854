import Adapters
import Checkpoints
import OrderedCollections
import Safetensors
import Tensors

/// The keys of a file grouped into adapter modules, leniently: what does not fit is kept and named.
struct InspectedAdapter: Sendable {
  /// In the order in which their first tensors stand in the file.
  let modules: [InspectedModule]
  /// Tensors of modules in formats that cannot be applied.
  let refused: [RefusedFormat: [String: [TensorView]]]
  /// Keys of embeddings that travel with the adapter.
  let embeddings: [String]
  /// Keys of no module.
  let orphans: [String]
  /// Keys that stand for the same tensor of the same module as an earlier one.
  let duplicates: [String]
  /// What was read otherwise than it is written.
  let notices: [String]
  /// The metadata of its file, with what its PEFT configuration says of the model.
  let familyMetadata: [String: String]

  /// Tensors that belong to modules.
  var tensorCount: Int {
    modules.reduce(duplicates.count) { $0 + $1.views.count + ($1.alphaView == nil ? 0 : 1) }
      + refused.values.reduce(0) { $1.values.reduce($0) { $0 + $1.count } }
  }

  /// nil if no tensor identifies an algorithm.
  /// - Throws: `CheckpointError` for its PEFT configuration
  init?(_ file: TensorFile) throws(CheckpointError) {
    var groups = OrderedDictionary<String, [String: TensorView]>()
    var refused: [RefusedFormat: [String: [TensorView]]] = [:]
    var (embeddings, orphans, duplicates) = ([String](), [String](), [String]())
    for (key, view) in file.tensors {
      if let place = AdapterKey(key) {
        if groups[place.module]?[place.suffix] != nil {
          duplicates.append(key)
        } else {
          groups[place.module, default: [:]][place.suffix] = view
        }
      } else if let (format, module) = RefusedFormat.recognize(key) {
        refused[format, default: [:]][module, default: []].append(view)
      } else {
        key.hasPrefix(AdapterKey.bundlePrefix) ? embeddings.append(key) : orphans.append(key)
      }
    }
    ProcessorNames.cutAttention(&groups)
    orphans.removeAll { key in
      guard
        let (module, suffix) = SuffixTable.split(key, beside: { groups[$0]?.keys.map { $0 } ?? [] })
      else { return false }
      groups[module]?[suffix] = file.tensors[key]
      return true
    }
    // Factors beside tensors of a format that is refused belong to it.
    for (format, modules) in refused {
      for module in modules.keys {
        refused[format]?[module]? += groups.removeValue(forKey: module)?.values.map { $0 } ?? []
      }
    }
    // Without a module nothing asks for alphas; formats that are refused mean other things by these keys.
    let stated = try groups.isEmpty ? nil : StatedConfiguration(of: file)
    var modules: [InspectedModule] = []
    var beginnings: OrderedDictionary<FactorBeginning, Int> = [:]
    var transposed = 0
    for (name, views) in groups {
      let turned =
        stated?.keepsInputsFirst(name) == true ? AdapterModule.transposed(views) : nil
      if var module = Self.module(name, turned ?? views) {
        module.recordedAlpha = module.rank.flatMap { stated?.alpha(of: name, rank: $0) }
        modules.append(module)
        transposed += turned == nil ? 0 : 1
        if let way = stated?.beginning(of: name) { beginnings[way, default: 0] += 1 }
      } else {
        orphans += views.values.map(\.name).sorted()
      }
    }
    guard !modules.isEmpty || !refused.isEmpty else { return nil }
    self.modules = modules
    self.refused = refused
    self.embeddings = embeddings
    self.orphans = orphans
    self.duplicates = duplicates
    familyMetadata = stated?.metadata(of: file) ?? file.metadata
    notices =
      (stated?.notices ?? []) + beginnings.compactMap { $0.notice(modules: $1) }
      + (transposed == 0
        ? []
        : ["fan_in_fan_out: factors of \(transposed) layers that store their weights transposed"])
  }

  private static func module(_ name: String, _ views: [String: TensorView]) -> InspectedModule? {
    var views = views
    let alpha = views.removeValue(forKey: alphaSuffix.name)
    // A change of the bias goes with any algorithm, and is an adapter of its own without one.
    let shapes = views.mapValues(\.shape)
    let decisive = shapes.filter { !biasSuffixes.contains($0.key) }
    let candidates = allAlgorithms.filter { $0.recognizes(decisive.isEmpty ? shapes : decisive) }
    guard let algorithm = candidates.first else { return nil }
    return InspectedModule(
      name: name, algorithm: algorithm, views: views, alphaView: alpha,
      rivals: candidates.dropFirst().map { $0.name })
  }
}
