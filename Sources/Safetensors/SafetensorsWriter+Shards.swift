import Machine
import SystemPackage

extension SafetensorsWriter {
  /// Cuts `order` where the next tensor would exceed the size. At least one range.
  static func split(_ order: [TensorInfo], _ size: Int?) -> [Range<Int>] {
    guard let size, !order.isEmpty else { return [0..<order.count] }
    var ranges: [Range<Int>] = []
    var (start, filled) = (0, 0)
    for (i, tensor) in order.enumerated() {
      if i > start, filled + tensor.byteCount > size {
        ranges.append(start..<i)
        (start, filled) = (i, 0)
      }
      filled += tensor.byteCount
    }
    return ranges + [start..<order.count]
  }

  /// Whether the disk has room for all files.
  static func checkSpace(for shards: [Shard], _ path: FilePath) throws(SafetensorsError) {
    // What compression leaves cannot be known.
    guard !path.isCompressed, let available = try? Posix.freeSpace(path.folder) else { return }
    let needed = shards.reduce(0) { $0 + $1.byteCount }
    guard needed <= available else {
      throw .noSpace(path, needed: needed, available: available)
    }
  }

  /// The index as transformers writes it: two spaces of indentation, sorted keys, ASCII.
  /// - Parameter set: what the shards have in their metadata
  static func indexBytes(_ order: [TensorInfo], _ shards: [Shard], set: String?) -> [UInt8] {
    let total = order.reduce(0) { $0 + $1.byteCount }
    let id = set.map { "    \"\(ShardSet.key)\": \"\($0)\",\n" } ?? ""
    var json = Array("{\n  \"metadata\": {\n\(id)    \"total_size\": \(total)\n  },\n".utf8)
    json += "  \"weight_map\": {".utf8
    let entries = shards.flatMap { shard in
      order[shard.tensors].map { ($0.name, shard.path.name) }
    }.sorted { $0.0.utf8.lexicographicallyPrecedes($1.0.utf8) }
    for (i, (name, file)) in entries.enumerated() {
      json += (i == 0 ? "\n    " : ",\n    ").utf8
      json.appendJSON(name, asciiOnly: true)
      json += ": ".utf8
      json.appendJSON(file, asciiOnly: true)
    }
    return json + "\n  }\n}\n".utf8
  }
}

extension FilePath {
  /// `name-00001-of-00003.safetensors` for `name.safetensors`.
  func shard(_ number: Int, of count: Int) -> FilePath {
    func digits(_ n: Int) -> String {
      String(repeating: "0", count: max(0, 5 - "\(n)".count)) + "\(n)"
    }
    return removingLastComponent().appending(
      named: "\(bareName)-\(digits(number))-of-\(digits(count)).safetensors"
        + (isCompressed ? ".zst" : ""))
  }

  /// `name.safetensors.index.json` for `name.safetensors`.
  var shardIndex: FilePath {
    removingLastComponent().appending(named: "\(bareName).safetensors.index.json")
  }

  /// The last component, also where it is no UTF-8.
  fileprivate var name: String {
    lastComponent.map { FilePath(root: nil, [$0]).text } ?? ""
  }

  /// The name without `.safetensors` and `.zst`.
  var bareName: String {
    var name = self.name
    for suffix in [".zst", ".safetensors"] where name.hasSuffix(suffix) {
      name.removeLast(suffix.count)
    }
    return name
  }
}
