import FoundationEssentials
import OrderedCollections
import Safetensors
import SystemPackage

/// The files that a checkpoint of the layout of a base is written to.
struct MergeDestination {
  /// A file and the tensors in it, by their names there and in the base.
  struct File {
    let path: FilePath
    let tensors: [(info: TensorInfo, key: String)]
  }

  let files: [File]

  /// - Parameter outputs: all tensors, under the names of the base.
  /// - Throws: `OperationError.folderOutput` if the base is a folder and the output a file.
  init(
    _ outputs: [TensorInfo], of base: TensorFile, at output: FilePath
  ) throws(OperationError) {
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
    for ending in torchEndings where name.hasSuffix(ending) {
      name = name.dropLast(ending.count) + ".safetensors"
      // transformers has a name of its own for each format.
      if name.hasPrefix("pytorch_model") { name.removeFirst("pytorch_".count) }
    }
    guard let match = name.firstRange(of: /-\d{5}-of-\d{5}/) else { return name }
    return name.replacingCharacters(in: match, with: "")
  }

  private static let torchEndings = [".bin", ".ckpt", ".pt", ".pth"]

  /// Copies what a diffusers folder holds beside weights: configurations, tokenizers.
  /// - Throws: what the file system reports.
  static func copyCompanions(of base: TensorFile, to output: FilePath) throws {
    guard base.layout == .folder, base.path != output else { return }
    let files = FileManager.default
    let weights =
      torchEndings + [
        ".safetensors", ".safetensors.index.json", ".bin.index.json", ".zst", ".msgpack",
      ]
    for relative in try files.subpathsOfDirectory(atPath: base.path.string) {
      let source = base.path.appending(FilePath(relative).components)
      let target = output.appending(FilePath(relative).components)
      var isFolder = false
      guard files.fileExists(atPath: source.string, isDirectory: &isFolder) else { continue }
      if isFolder {
        try files.createDirectory(atPath: target.string, withIntermediateDirectories: true)
      } else if !weights.contains(where: { relative.hasSuffix($0) }) {
        let contents = try Data(contentsOf: URL(filePath: source.string))
        try contents.write(to: URL(filePath: target.string), options: .atomic)
      }
    }
  }
}

extension String {
  fileprivate func replacingCharacters(in range: Range<Index>, with other: String) -> String {
    String(self[..<range.lowerBound]) + other + String(self[range.upperBound...])
  }
}
