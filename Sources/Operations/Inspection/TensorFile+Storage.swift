import OrderedCollections
import Safetensors
import SystemPackage

extension TensorFile {
  /// Bytes of all its files, headers included.
  var fileBytes: Int {
    let isSet = layout == .sharded || layout == .folder
    let files = isSet ? Set(tensors.values.map(\.file)) : []
    return (files.isEmpty ? [path] : files).reduce(0) { $0 + $1.byteCount }
  }

  /// How it lies on disk, for people.
  var storage: String {
    switch layout {
    case .single: "one file"
    case .sharded: "\(Set(tensors.values.map(\.file)).count) shards"
    case .folder: "a folder of \(Set(tensors.values.map(\.file)).count) files"
    case .compressed: "one file, compressed with zstd"
    case .torch: "one torch file"
    }
  }
}
