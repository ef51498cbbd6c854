import Machine
import OrderedCollections
import SystemPackage

extension TensorFile {
  /// A folder: the model directly in it, or the models of its components with the component's name
  /// before each key. Where both are there, `model_index.json` decides for the components.
  static func folder(
    _ path: FilePath, _ contents: Contents
  ) throws(SafetensorsError) -> TensorFile {
    try Exchange.check(path, isFolder: true)
    let names = try ModelFolder.names(in: path)
    let hasComponents = names.contains("model_index.json")
    if !hasComponents, let model = try ModelFolder(path).model { return try file(model, contents) }

    var metadata: [String: String] = [:]
    var tensors: OrderedDictionary<String, TensorView> = [:]
    for component in names {
      let folder = path.appending(named: component)
      guard let status = try? Posix.status(folder), FileKind(status) == .folder else { continue }
      guard let model = try ModelFolder(folder).model else { continue }
      let file = try file(model, contents)
      metadata.merge(file.metadata) { first, _ in first }
      for (key, view) in file.tensors {
        let name = "\(component)/\(key)"
        tensors[name] = view.renamed(name)
      }
    }
    guard !tensors.isEmpty else {
      if hasComponents, let model = try ModelFolder(path).model { return try file(model, contents) }
      throw .noWeights(path)
    }
    return TensorFile(path, .folder, metadata, tensors)
  }
}
