import Machine
import OrderedCollections
import Safetensors
import SystemPackage

/// What there is to open below a folder, by names alone.
///
/// Hidden files and folders are passed over. Links are followed; a folder is entered once, by whatever names it goes. A
/// pipeline and an adapter of PEFT's are one item, the index of shards too.
struct CatalogueScan {
  struct Item: Sendable {
    let path: FilePath
    /// Relative to the folder.
    let name: String
  }

  private(set) var items: [Item] = []
  private(set) var faults: [Catalogue.Fault] = []
  private var entered: Set<FileIdentity> = []

  /// - Throws: `CancellationError`
  init(_ folder: FilePath) throws { try add(folder, below: "") }

  private mutating func add(_ folder: FilePath, below prefix: String) throws {
    try Task.checkCancellation()
    if let identity = FileIdentity(folder), !entered.insert(identity).inserted { return }
    let names: [String]
    do {
      names = try folder.names()
    } catch {
      faults.append(.init(file: prefix, reason: "\(error)"))
      return
    }
    // What a folder that is one item consists of is not told again.
    var owned: Set<FilePath> = []
    let isItem =
      !prefix.isEmpty
      && ["model_index.json", "adapter_config.json"].contains(where: names.contains)
    if isItem, let file = try? TensorFile(opening: folder, reading: .headers) {
      items.append(Item(path: folder, name: String(prefix.dropLast())))
      owned = file.sources
    }
    let indices = names.filter { folder.appending(named: $0).isShardIndex }
    for index in indices {
      guard let shards = try? ShardIndex(folder.appending(named: index)).weightMap.values else {
        continue
      }
      owned.formUnion(Set(shards).map { folder.appending(named: $0) })
    }
    for name in names {
      let path = folder.appending(named: name)
      guard !owned.contains(path) else { continue }
      switch path.kind {
      case .folder:
        // The other weights beside those of a component are variants of it.
        guard !owned.contains(where: { $0.removingLastComponent() == path }) else { continue }
        try add(path, below: prefix + name + "/")
      case .regular where indices.contains(name):
        items.append(Item(path: path, name: prefix + name))
      case .regular where path.isWeightsName:
        if name.hasSuffix(".bin"), !Self.isModel(path) { continue }
        items.append(Item(path: path, name: prefix + name))
      case nil where path.isWeightsName:
        faults.append(.init(file: prefix + name, reason: "\(path): a link that leads nowhere"))
      default: continue
      }
    }
  }

  /// `.bin` is what anything may be called.
  private static func isModel(_ path: FilePath) -> Bool {
    (try? TensorFile(opening: path, reading: .headers)) != nil
  }
}
