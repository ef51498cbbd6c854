import OrderedCollections
import SystemPackage
import TorchFiles

extension TensorFile {
  /// A file of torch's. Tensors that lie in it element after element are views of it; the others,
  /// transposed ones for example, are gathered in a temporary file without a name.
  static func torch(
    _ mapping: MappedFile, _ contents: Contents
  ) throws(SafetensorsError) -> TensorFile {
    let path = mapping.path
    let file: TorchFile
    do {
      file = try TorchFile(parsing: mapping.bytes)
    } catch {
      throw .torch(path, error)
    }
    let scattered = file.tensors.filter { $0.range == nil }
    let gathered =
      contents == .everything && !scattered.isEmpty
      ? try MappedFile.gathering(scattered, from: mapping) : nil
    var tensors = OrderedDictionary<String, TensorView>(minimumCapacity: file.tensors.count)
    var position = 0
    for tensor in file.tensors {
      if let range = tensor.range {
        tensors[tensor.name] = TensorView(
          tensor.name, tensor.dtype, tensor.shape, at: range, in: path, mapping)
      } else {
        let range = position..<position + tensor.byteCount
        tensors[tensor.name] = TensorView(
          tensor.name, tensor.dtype, tensor.shape, at: range, in: path, gathered)
        position = range.upperBound
      }
    }
    return TensorFile(path, .torch, file.metadata, tensors)
  }
}

extension MappedFile {
  /// Tensors of a torch file in row-major order, one after the other. `TorchFile` bounds what they
  /// take by the size of that file.
  fileprivate static func gathering(
    _ tensors: [TorchTensor], from source: MappedFile
  ) throws(SafetensorsError) -> MappedFile {
    let folder = temporaryFolder
    let length = tensors.reduce(0) { $0 + $1.byteCount }
    let file = try temporaryFile(of: length, in: folder)
    defer { Posix.closeFile(file) }
    for tensor in tensors {
      let bytes = tensor.gathered(from: source.bytes)
      do {
        try unsafe Posix.writeAll(bytes.span.bytes, to: file)
      } catch {
        throw .io(folder, .write, error)
      }
    }
    return try MappedFile(file, source.path)
  }
}
