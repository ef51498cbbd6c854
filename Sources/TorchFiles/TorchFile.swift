import Tensors

/// The tensors of a file that `torch.save` wrote, and where they lie in it.
///
/// Both formats are read: the zip archive of torch 1.6 and later and the stream of pickles before
/// it. Nothing in the file is run (see `Unpickler`), and once a value exists every tensor lies within
/// its storage, every storage within the file.
package struct TorchFile: Sendable {
  /// In the order of the pickle, each name once.
  package private(set) var tensors: [TorchTensor] = []
  /// Texts and numbers beside the tensors at the top, as text.
  package let metadata: [String: String]

  /// How many times the file tensors may take together, as some share a storage.
  private static let mostShared = 64
  /// What may be gathered of a file that is smaller.
  private static let leastGathered = 1 << 20

  /// Whether bytes begin as torch writes them. No safetensors file does.
  package static func recognizes(_ bytes: Span<UInt8>) -> Bool {
    isZip(bytes) || LegacyStream.recognizes(bytes)
  }

  /// A local header; the two bytes at 8 are the method of compression, of which a safetensors header
  /// whose length begins like this would have text.
  private static func isZip(_ bytes: Span<UInt8>) -> Bool {
    bytes.holds([0x50, 0x4B, 3, 4], at: 0) && bytes.integer(2, at: 8).map { $0 < 100 } ?? false
  }

  /// - Throws: `TorchFileError`
  /// - Complexity: O(n log n) in the number of operations and entries; data is not looked at.
  package init(parsing bytes: Span<UInt8>) throws(TorchFileError) {
    let pickle: Pickle
    let state: StateDict
    let places: [String: Range<Int>]
    if Self.isZip(bytes) {
      let archive = try TorchArchive(ZipDirectory(parsing: bytes), bytes)
      let text = bytes.extracting(archive.pickle)
      var unpickler = Unpickler(text)
      pickle = try unpickler.run()
      state = try StateDict(pickle, text)
      places = archive.storages
    } else {
      let stream = try LegacyStream(bytes)
      pickle = stream.pickle
      state = try StateDict(pickle, bytes.extracting(stream.start...))
      places = stream.storages
    }
    metadata = state.metadata
    guard !state.tensors.isEmpty else { throw .noTensors }
    try resolve(state, pickle, places, fileLength: bytes.count)
  }

  private mutating func resolve(
    _ state: StateDict, _ pickle: Pickle, _ places: [String: Range<Int>], fileLength: Int
  ) throws(TorchFileError) {
    var names: Set<String> = []
    let mostBytes = Self.mostShared * fileLength
    let mostGathered = max(fileLength, Self.leastGathered)
    var (bytes, gatheredBytes) = (0, 0)
    for (name, index) in state.tensors {
      let tensor: TorchTensor
      do throws(TorchFileError.TensorFault) {
        guard names.insert(name).inserted else { throw .twice }
        tensor = try Self.placed(name, pickle.tensors[index], pickle, places)
      } catch {
        throw .tensor(name, error)
      }
      let size = tensor.byteCount
      // Each is below 2^62 bytes, checked against the limits before the next is added.
      bytes += size
      if tensor.range == nil { gatheredBytes += size }
      guard bytes <= mostBytes else {
        throw .tensor(name, .tooLarge(bytes: size, limit: mostBytes))
      }
      guard gatheredBytes <= mostGathered else {
        throw .tensor(name, .tooLarge(bytes: size, limit: mostGathered))
      }
      tensors.append(tensor)
    }
  }

  /// Checks a tensor against its storage.
  private static func placed(
    _ name: String, _ tensor: Pickle.Tensor, _ pickle: Pickle, _ places: [String: Range<Int>]
  ) throws(TorchFileError.TensorFault) -> TorchTensor {
    let storage = pickle.storages[Int(tensor.storage)]
    let layout = tensor.layout
    guard !tensor.isLazy else { throw .lazyView }
    guard let dtype = tensor.dtype else { throw .format }
    guard let end = layout.end else {
      throw .layout(shape: layout.extents, strides: layout.strides, offset: layout.offset)
    }
    // The count of a storage without a format is in bytes.
    let width = dtype.bitsPerElement / 8
    let (size, overflow) = storage.count.multipliedReportingOverflow(
      by: storage.dtype == nil ? 1 : width)
    guard !overflow else {
      throw .storageSize(key: storage.key, expected: .max, found: places[storage.key]?.count ?? 0)
    }
    guard end <= size / width else {
      throw .beyondStorage(
        shape: layout.extents, strides: layout.strides, offset: layout.offset,
        elements: size / width)
    }
    guard let place = places[storage.key] ?? (size == 0 ? 0..<0 : nil) else {
      throw .missingStorage(key: storage.key)
    }
    guard size <= place.count else {
      throw .storageSize(key: storage.key, expected: size, found: place.count)
    }
    return TorchTensor(name, dtype, layout, in: place)
  }
}
