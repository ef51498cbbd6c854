import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// A copy of a tensor's stored bytes.
func octets(_ view: TensorView?) -> [UInt8] {
  guard let view else { return [] }
  return view.bytes.withUnsafeBytes { Array($0) }
}

/// The bytes of a file; empty if it cannot be read.
func contents(_ path: FilePath) -> [UInt8] {
  guard let file = try? MappedFile(path) else { return [] }
  return file.bytes.withUnsafeBufferPointer { Array($0) }
}

/// Writes raw bytes.
func write(_ bytes: [UInt8], to path: FilePath) throws {
  let file = try FileDescriptor.open(
    path, .writeOnly, options: [.create, .truncate], permissions: [.ownerReadWrite])
  try file.closeAfter { _ = try file.writeAll(bytes) }
}

/// Writes tensors of given bytes, as a user of the library would.
func save(
  _ tensors: [TensorInfo: [UInt8]], to path: FilePath, metadata: [String: String] = [:],
  shardSize: Int? = nil
) throws {
  var writer = try SafetensorsWriter.create(
    path, announcing: Array(tensors.keys), metadata: metadata, shardSize: shardSize)
  for tensor in writer.order {
    let bytes = tensors[tensor, default: []]
    try writer.append(tensor.name, bytes.span.bytes)
  }
  try writer.finish()
}

/// The tensors of an open file in the form `save` takes.
func tensors(of file: TensorFile) -> [TensorInfo: [UInt8]] {
  Dictionary(uniqueKeysWithValues: file.tensors.values.map { ($0.info, octets($0)) })
}

/// Small tensors named by letters, each of its own bytes.
func sample(_ names: String..., count: Int = 4) -> [TensorInfo: [UInt8]] {
  Dictionary(
    uniqueKeysWithValues: names.map {
      let seed = Int($0.utf8.first ?? 0)
      return (
        TensorInfo(name: $0, dtype: .u8, shape: [count]),
        [UInt8](unsafeUninitializedCapacity: count) { bytes, initialized in
          for i in 0..<count { bytes[i] = UInt8(truncatingIfNeeded: seed + i) }
          initialized = count
        }
      )
    })
}
