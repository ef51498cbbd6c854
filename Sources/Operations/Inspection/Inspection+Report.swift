import Adapters
import Checkpoints
import Machine
import ModelFamilies
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors

extension Inspection {
  /// What the headers say, without reading any values but those of alphas.
  package func report() -> InspectionReport {
    var total = InspectionReport.Total(name: "all")
    var dtypes: [String: InspectionReport.Total] = [:]
    var components: [String: InspectionReport.Total] = [:]
    let scales = base?.quantized.keys ?? []
    let names = familyNames
    for view in file.tensors.values {
      total.add(view)
      dtypes[view.dtype.rawValue, default: .init(name: view.dtype.rawValue)].add(view)
      let component = scales.contains(view.name) ? "scales" : component(of: view.name, in: names)
      components[component, default: .init(name: component)].add(view)
    }
    return InspectionReport(
      file: file.path.text, storage: file.storage, kind: kind, kindEvidence: kindEvidence,
      family: family, total: total, fileBytes: file.fileBytes,
      dtypes: dtypes.values.sorted { ($1.bytes, $0.name) < ($0.bytes, $1.name) },
      components: components.values.sorted { $0.name < $1.name },
      quantizations: base.map { InspectionReport.Quantized.list(of: $0.quantized) } ?? [],
      adapter: adapter.map { AdapterSummary(of: $0, file.metadata, in: names) }, cache: cache,
      training: TrainingSummary(of: file.metadata), metadata: file.metadata, notes: notes)
  }

  /// Name, format and shape of every tensor that the pattern leaves, in the order of the file.
  package func keys(_ pattern: InspectionPattern) -> [InspectionReport.Key] {
    filtered(pattern).map {
      InspectionReport.Key(
        name: $0.name, dtype: $0.dtype.rawValue, shape: $0.shape.dimensions, bytes: $0.byteCount)
    }
  }

  /// Of an adapter, the names of the modules of its family.
  var familyNames: FamilyNames? {
    adapter == nil ? nil : family.flatMap { ModelFamily.named($0.name) }.flatMap(FamilyNames.init)
  }

  private func component(of key: String, in names: FamilyNames?) -> String {
    if adapter != nil {
      if key.hasPrefix(AdapterKey.bundlePrefix) { return "embeddings" }
      return AdapterPlace.component(of: AdapterKey(key)?.module ?? key, in: names)
    }
    let known = layout?.component(ofKey: key)
    if let known, known != "model" { return known }
    // In a folder of components that no family knows, the component is a folder.
    if file.layout == .folder, let end = key.firstIndex(of: "/") { return String(key[..<end]) }
    return known ?? "other"
  }
}

extension InspectionReport.Total {
  fileprivate mutating func add(_ view: TensorView) {
    tensors += 1
    parameters += view.shape.count
    bytes += view.byteCount
  }
}
