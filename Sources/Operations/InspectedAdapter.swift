import Adapters
import Checkpoints
import OrderedCollections
import Safetensors

/// The keys of a file grouped into adapter modules, leniently: what does not fit is kept and named.
struct InspectedAdapter: Sendable {
  /// In the order in which their first tensors stand in the file.
  let modules: [InspectedModule]
  /// Keys of embeddings that travel with the adapter.
  let embeddings: [String]
  /// Keys of no module.
  let orphans: [String]
  /// Keys that stand for the same tensor of the same module as an earlier one.
  let duplicates: [String]

  /// Tensors that belong to modules.
  var tensorCount: Int {
    modules.reduce(duplicates.count) { $0 + $1.views.count + ($1.alphaView == nil ? 0 : 1) }
  }

  /// nil if no tensor identifies an algorithm.
  init?(_ file: SafetensorsFile) {
    var groups = OrderedDictionary<String, [String: TensorView]>()
    var (embeddings, orphans, duplicates) = ([String](), [String](), [String]())
    for (key, view) in file.tensors {
      guard let place = AdapterKey(key) else {
        key.hasPrefix(AdapterKey.bundlePrefix) ? embeddings.append(key) : orphans.append(key)
        continue
      }
      if groups[place.module]?[place.suffix] != nil {
        duplicates.append(key)
      } else {
        groups[place.module, default: [:]][place.suffix] = view
      }
    }
    Self.claimWeights(&orphans, for: &groups, of: file)
    let alphas = AlphaMetadata(file.metadata)
    var modules: [InspectedModule] = []
    for (name, views) in groups {
      if var module = Self.module(name, views) {
        module.recordedAlpha = module.rank.flatMap { alphas.alpha(of: name, rank: $0) }
        modules.append(module)
      } else {
        orphans += views.values.map(\.name).sorted()
      }
    }
    guard !modules.isEmpty else { return nil }
    self.modules = modules
    self.embeddings = embeddings
    self.orphans = orphans
    self.duplicates = duplicates
  }

  /// IA3 calls its tensor `weight`, as every layer does: only beside `on_input` is it an adapter's.
  private static func claimWeights(
    _ orphans: inout [String], for groups: inout OrderedDictionary<String, [String: TensorView]>,
    of file: SafetensorsFile
  ) {
    for (name, views) in groups where views["on_input"] != nil {
      guard let weight = file.tensors[name + ".weight"] else { continue }
      groups[name]?["weight"] = weight
      orphans.removeAll { $0 == weight.name }
    }
  }

  private static func module(_ name: String, _ views: [String: TensorView]) -> InspectedModule? {
    var views = views
    let alpha = views.removeValue(forKey: alphaSuffix.name)
    // A change of the bias goes with any algorithm, and is an adapter of its own without one.
    let suffixes = Set(views.keys)
    let decisive = suffixes.subtracting(biasSuffixes)
    let candidates = InspectedAlgorithm.all.filter {
      !$0.markers.isDisjoint(with: decisive.isEmpty ? suffixes : decisive)
    }
    guard let algorithm = candidates.first else { return nil }
    return InspectedModule(
      name: name, algorithm: algorithm, views: views, alphaView: alpha,
      rivals: candidates.dropFirst().map(\.name))
  }
}
