import OrderedCollections
import SystemPackage

extension SafetensorsFile {
  /// A folder: the model directly in it, or the models of its components with the component's name
  /// before each key. Where both are there, `model_index.json` decides for the components.
  static func folder(
    _ path: FilePath, _ contents: Contents
  ) throws(SafetensorsError) -> SafetensorsFile {
    let names = try ModelFolder.names(in: path)
    let hasComponents = names.contains("model_index.json")
    if !hasComponents, let model = try ModelFolder(path).model { return try file(model, contents) }

    var metadata: [String: String] = [:]
    var tensors: OrderedDictionary<String, TensorView> = [:]
    for component in names {
      let folder = path.appending(component)
      guard let status = try? Posix.status(folder), FileKind(status) == .folder else { continue }
      let content = try ModelFolder(folder)
      guard let model = content.model else {
        // Leaving a component out without a word would be worse than stopping.
        guard content.pickles.isEmpty else {
          throw .onlyPickles(folder, names: content.pickles)
        }
        continue
      }
      let file = try file(model, contents)
      metadata.merge(file.metadata) { first, _ in first }
      for (key, view) in file.tensors {
        let name = "\(component)/\(key)"
        tensors[name] = view.renamed(name)
      }
    }
    guard !tensors.isEmpty else {
      if hasComponents, let model = try ModelFolder(path).model { return try file(model, contents) }
      let pickles = try ModelFolder(path).pickles
      throw pickles.isEmpty ? .noWeights(path) : .onlyPickles(path, names: pickles)
    }
    return SafetensorsFile(path, .folder, metadata, tensors)
  }
}
