import Machine
package import SystemPackage

extension FilePath {
  /// Whether a folder is one model to whoever opens it: a pipeline of components, a component, an adapter of PEFT's, or
  /// the only file of weights in and below it. Otherwise it is a collection of files, if it holds any.
  package var holdsOneModel: Bool {
    guard let names = try? Posix.names(in: self) else { return false }
    if names.contains("model_index.json") || ModelFolder.isComponent(names) { return true }
    let folders = names.map { appending(named: $0) }.filter { $0.kind == .folder }
    guard names.contains(where: { ModelFolder.isWeights($0) || ModelFolder.isIndex($0) }) else {
      // Without an index of components only their usual names tell a pipeline from a collection of models.
      return folders.contains { folder in
        folder.lastComponent.map { ModelFolder.isComponentName($0.string) } ?? false
          && (try? Posix.names(in: folder)).map(ModelFolder.isComponent) ?? false
      }
    }
    let model = try? ModelFolder(self).model
    return model != nil && !folders.contains { $0.hasWeightsBelow(depth: 8) }
  }

  /// Whether the name is that of an index of shards.
  package var isShardIndex: Bool { lastComponent.map { ModelFolder.isIndex($0.string) } ?? false }
  /// Whether the name has the ending of a file of weights.
  package var isWeightsName: Bool {
    lastComponent.map { ModelFolder.isWeights($0.string) } ?? false
  }

  private func hasWeightsBelow(depth: Int) -> Bool {
    guard depth > 0, let names = try? Posix.names(in: self) else { return false }
    return names.contains(where: ModelFolder.isWeights)
      || names.contains { name in
        let path = appending(named: name)
        return (try? Posix.linkStatus(path)).map(FileKind.init) == .folder
          && path.hasWeightsBelow(depth: depth - 1)
      }
  }
}
