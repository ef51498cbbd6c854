import Machine
package import OrderedCollections
package import SystemPackage

extension TensorFile {
  /// The shards that an index names, as one. Index and shards must agree on every tensor.
  static func sharded(
    index path: FilePath, _ contents: Contents
  ) throws(SafetensorsError) -> TensorFile {
    try Exchange.check(path, isFolder: false)
    let index = try ShardIndex(path)
    let weightMap = index.weightMap
    // What index and shards say; a plain shard without it is none of lyco's, and goes with its like alone.
    var sets: Set<String?> = []
    if index.set != nil { sets.insert(index.set) }
    let folder = path.removingLastComponent()
    var metadata: [String: String] = [:]
    var tensors: OrderedDictionary<String, TensorView> = [:]
    let firstTensors = Dictionary(
      weightMap.elements.map { ($0.value, $0.key) }, uniquingKeysWith: { first, _ in first })
    for (shard, tensor) in firstTensors.sorted(by: { $0.key < $1.key }) {
      let file: TensorFile
      do {
        file = try single(folder.appending(named: shard), contents)
      } catch .io(_, .open, .noSuchFileOrDirectory) {
        throw .missingShard(path, tensor: tensor, shard: shard)
      }
      if file.layout == .single { sets.insert(file.set) }
      guard sets.count < 2 else { throw .otherSet(path, shard: shard) }
      metadata.merge(file.metadata) { first, _ in first }
      for (name, view) in file.tensors {
        if let other = tensors.updateValue(view, forKey: name) {
          throw .inTwoShards(
            path, tensor: name, first: other.file.lastComponent?.string ?? "", second: shard)
        }
        if weightMap[name] == nil { throw .missingFromIndex(path, tensor: name, shard: shard) }
      }
    }
    let paths = firstTensors.keys.reduce(into: [:]) { $0[$1] = folder.appending(named: $1) }
    for (name, shard) in weightMap where tensors[name]?.file != paths[shard] {
      throw .missingFromShard(path, tensor: name, shard: shard)
    }
    return TensorFile(path, .sharded, metadata, tensors)
  }
}

/// The `X.safetensors.index.json` of a sharded checkpoint.
package struct ShardIndex: Sendable {
  /// Tensor to shard, in the order of the file.
  package let weightMap: OrderedDictionary<String, String>
  /// What shards that were written with it have in their metadata, if this is known.
  let set: String?

  /// - Throws: `io`, `foreign`, `syntax`, `missingWeightMap`, `shardOutsideFolder`,
  ///   `duplicateInIndex`
  package init(_ path: FilePath) throws(SafetensorsError) {
    let mapping = try MappedFile(path)
    guard mapping.count <= Header.largestLength else {
      throw .headerTooLarge(path, length: UInt64(mapping.count))
    }
    if let format = ForeignFormat(mapping.bytes), format == .gitLFSPointer || format == .html {
      throw .foreign(path, format)
    }
    try self.init(json: mapping.bytes, of: path)
  }

  /// From the bytes of an index; `path` is named in errors.
  package init(json bytes: Span<UInt8>, of path: FilePath) throws(SafetensorsError) {
    var json = try JSONReader(bytes, of: path)
    var weightMap: OrderedDictionary<String, String>?
    var set: String?
    var isFirst = true
    try json.openObject()
    while let key = try json.nextKey(&isFirst) {
      if key == "weight_map", weightMap == nil {
        weightMap = try Self.readWeightMap(&json)
      } else if key == "metadata", json.peek() == UInt8(ascii: "{") {
        set = try Self.readSet(&json)
      } else {
        try json.skipValue()
      }
    }
    try json.finish()
    guard let weightMap else { throw .missingWeightMap(path) }
    self.weightMap = weightMap
    self.set = set
  }

  private static func readSet(_ json: inout JSONReader) throws(SafetensorsError) -> String? {
    var set: String?
    var isFirst = true
    try json.openObject()
    while let key = try json.nextKey(&isFirst) {
      if key == ShardSet.key, json.peek() == UInt8(ascii: "\"") {
        set = try json.readString()
      } else {
        try json.skipValue()
      }
    }
    return set
  }

  private static func readWeightMap(
    _ json: inout JSONReader
  ) throws(SafetensorsError) -> OrderedDictionary<String, String> {
    var weightMap: OrderedDictionary<String, String> = [:]
    var shards: Set<String> = []
    var isFirst = true
    try json.openObject()
    while let tensor = try json.nextKey(&isFirst) {
      json.tensor = tensor
      let shard = try json.readString()
      json.tensor = nil
      if shards.insert(shard).inserted {
        let path = FilePath(named: shard)
        guard path.isRelative, path.components.count == 1, path.components.first?.kind == .regular
        else {
          throw .shardOutsideFolder(json.file, tensor: tensor, shard: shard)
        }
      }
      guard weightMap.updateValue(shard, forKey: tensor) == nil else {
        throw .duplicateInIndex(json.file, tensor: tensor)
      }
    }
    return weightMap
  }
}
