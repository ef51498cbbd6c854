import Checkpoints
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors

/// The files that a checkpoint of the layout of a base is written to: one, or one for each component of a
/// folder, with what the base has beside weights.
struct CheckpointDestination {
  /// A file and the tensors in it, by their names there and in the base.
  struct File {
    let path: FilePath
    let tensors: [(info: TensorInfo, key: String)]
  }

  let files: [File]
  private let base: TensorFile
  private let output: FilePath
  private let dequantized: Set<String>

  /// - Parameter outputs: all tensors, under the names of the base.
  /// - Throws: `OperationError.folderOutput` if the base is a folder and the output a file.
  init(
    _ outputs: [TensorInfo], of base: TensorFile, at output: FilePath
  ) throws(OperationError) {
    self.base = base
    self.output = output
    dequantized = base.layout == .folder ? Self.dequantized(outputs, of: base) : []
    guard base.layout == .folder else {
      files = [File(path: output, tensors: outputs.map { ($0, $0.name) })]
      return
    }
    guard !output.string.hasSuffix(".safetensors"), !output.string.hasSuffix(".zst") else {
      throw .folderOutput(output, base: base.path)
    }
    var components: [String: [(info: TensorInfo, key: String)]] = [:]
    for info in outputs {
      let component = String(info.name.prefix { $0 != "/" })
      let name = String(info.name.dropFirst(component.count + 1))
      components[component, default: []].append(
        (TensorInfo(name: name, dtype: info.dtype, shape: info.shape), info.name))
    }
    files = components.sorted { $0.key < $1.key }.map { component, tensors in
      let source = tensors.lazy.compactMap { base.tensors[$0.key]?.file }.first
      return File(
        path: output.appending(component).appending(Self.unsharded(source)), tensors: tensors)
    }
  }

  /// `model-00001-of-00002.safetensors` without its number; for a torch file the name that goes with
  /// the format that is written.
  private static func unsharded(_ file: FilePath?) -> String {
    var name = file?.lastComponent?.string ?? "model.safetensors"
    for ending in FilePath.torchEndings where name.hasSuffix(ending) {
      name = name.dropLast(ending.count) + ".safetensors"
      // transformers has a name of its own for each format.
      if name.hasPrefix("pytorch_model") { name.removeFirst("pytorch_".count) }
    }
    guard let match = name.firstRange(of: /-\d{5}-of-\d{5}/) else { return name }
    return name.replacingCharacters(in: match, with: "")
  }

  /// Computes and writes all files, which appear together when the last of them is whole.
  ///
  /// - Parameters:
  ///   - parts: what is computed at once of a tensor, by its name in the file and in the base
  ///   - append: writes the result of a part; called in the order of the files and of the tensors in each
  /// - Returns: what is to be opened to read each file, itself or the index of its shards, and the bytes of
  ///   tensors and headers on disk
  /// - Throws: `SafetensorsError` from writing and from reading what lies beside weights,
  ///   `CancellationError`, what `transform` throws. Then nothing has changed, but for `torn`.
  func write<Part: Sendable, Result: Sendable>(
    metadata: [String: String], shardSize: Int?, threads: Int,
    parts: (TensorInfo, _ key: String) -> [Part],
    transform: @escaping @Sendable (Part) throws -> Result,
    append: (Part, Result, inout SafetensorsWriter) throws -> Void
  ) async throws -> (entries: [FilePath], byteCount: Int) {
    var set = OutputSet()
    var entries: [FilePath] = []
    var written: [FilePath] = []
    for file in files {
      try set.makeFolder(file.path.folder)
      var writer = try SafetensorsWriter.create(
        file.path, announcing: file.tensors.map(\.info), metadata: metadata, shardSize: shardSize)
      let keys = Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.info.name, $0.key) })
      try await forEachInOrder(
        writer.order.flatMap { parts($0, keys[$0.name] ?? $0.name) }, width: threads + 1,
        transform: transform, consume: { try append($0, $1, &writer) })
      entries.append(writer.entry)
      written += writer.files
      try writer.seal(into: &set)
    }
    try addCompanions(to: &set)
    try Task.checkCancellation()
    try set.commit()
    return (entries, written.reduce(0) { $0 + $1.byteCount })
  }

  /// The configuration of a component that has no quantized weights any more, without what it says of them; nil
  /// for a file that is true as it is.
  private func corrected(_ relative: FilePath) throws(SafetensorsError) -> String? {
    guard relative.lastComponent?.string == "config.json",
      let component = relative.components.first?.string, dequantized.contains(component),
      let value = try JSONValue(reading: base.path.pushing(relative), atMost: 1 << 20),
      value["quantization_config"] != nil
    else { return nil }
    return value.setting("quantization_config", to: nil).encoded + "\n"
  }

  /// Components of a base whose weights are no codes any more.
  private static func dequantized(_ outputs: [TensorInfo], of base: TensorFile) -> Set<String> {
    guard let weights = try? QuantizedWeights(of: base) else { return [] }
    let components = Set(weights.weights.keys.map { String($0.prefix { $0 != "/" }) })
    let kept = outputs.lazy.map(\.name).filter { weights.owners[$0] != nil }
    return components.subtracting(kept.map { String($0.prefix { $0 != "/" }) })
  }

  /// What a diffusers folder holds beside weights: configurations, tokenizers.
  private func addCompanions(to set: inout OutputSet) throws(SafetensorsError) {
    guard base.layout == .folder, FileIdentity(base.path) != FileIdentity(output) else { return }
    let weights =
      FilePath.torchEndings + [
        ".safetensors", ".safetensors.index.json", ".bin.index.json", ".zst", ".msgpack",
      ]
    for relative in try base.path.files(excluding: output) {
      let name = relative.lastComponent?.string ?? ""
      guard !weights.contains(where: name.hasSuffix) else { continue }
      let target = output.pushing(relative)
      try set.makeFolder(target.folder)
      let file = try PendingFile(target)
      if let text = try corrected(relative) {
        try unsafe file.write(Array(text.utf8).span.bytes)
      } else {
        let contents = try MappedFile(base.path.pushing(relative))
        try unsafe file.write(contents.bytes.bytes)
      }
      set.add(file)
    }
  }
}

extension String {
  fileprivate func replacingCharacters(in range: Range<Index>, with other: String) -> String {
    String(self[..<range.lowerBound]) + other + String(self[range.upperBound...])
  }
}
