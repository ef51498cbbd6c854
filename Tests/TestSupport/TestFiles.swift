import Glibc
import OrderedCollections
package import Safetensors
package import SystemPackage
package import Tensors

extension TensorView {
  /// The tensor as it stands in the file.
  package var stored: EncodedTensor {
    EncodedTensor(dtype, shape, bytes.withUnsafeBytes { Array($0) })
  }
}

extension TensorFile {
  /// Every tensor as it stands in the file, by name.
  package var contents: [String: EncodedTensor] {
    Dictionary(uniqueKeysWithValues: tensors.map { ($0, $1.stored) })
  }
}

extension TemporaryFolder {
  /// Writes a safetensors file into the folder, with folders on the way where the name has some.
  @discardableResult
  package func write(
    _ name: String, _ tensors: [String: EncodedTensor], metadata: [String: String] = [:]
  ) throws -> FilePath {
    let path = file(name)
    makeFolders(for: path)
    var writer = try SafetensorsWriter.create(
      path,
      announcing: tensors.map { TensorInfo(name: $0, dtype: $1.dtype, shape: $1.shape) },
      metadata: metadata)
    for info in writer.order {
      let tensor = tensors[info.name]!
      try writer.append(info.name, tensor.rawBytes)
    }
    try writer.finish()
    return path
  }

  /// Writes a text file into the folder.
  @discardableResult
  package func write(_ name: String, text: String) throws -> FilePath {
    try write(name, bytes: Array(text.utf8))
  }

  @discardableResult
  package func write(_ name: String, bytes: [UInt8]) throws -> FilePath {
    let path = file(name)
    makeFolders(for: path)
    let file = try FileDescriptor.open(
      path, .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite)
    try file.closeAfter { _ = try file.writeAll(bytes) }
    return path
  }

  private func makeFolders(for path: FilePath) {
    var folder = self.path
    let inside = path.components.dropFirst(folder.components.count).dropLast()
    for component in inside {
      folder.append(component)
      mkdir(folder.string, 0o700)
    }
  }
}

/// The bytes of a file.
package func contents(of path: FilePath) throws -> [UInt8] {
  let file = try FileDescriptor.open(path, .readOnly)
  return try file.closeAfter {
    let count = Int(try file.seek(offset: 0, from: .end))
    try file.seek(offset: 0, from: .start)
    return try [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      while filled < count {
        let read = try file.read(
          into: UnsafeMutableRawBufferPointer(
            rebasing: UnsafeMutableRawBufferPointer(buffer)[filled...]))
        guard read > 0 else { break }
        filled += read
      }
    }
  }
}
