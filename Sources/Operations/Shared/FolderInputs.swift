import FoundationEssentials
import Machine
package import ModelFamilies
import Safetensors
package import SystemPackage

/// The adapters and checkpoints in folders, with the names that outputs of them have.
package struct FolderInputs {
  package struct Item: Sendable, Equatable {
    package let input: FilePath
    /// Below the folder of outputs, without the ending.
    package let name: String
    /// `.safetensors`, `.safetensors.zst`, or nothing for a folder of components.
    package let ending: String
    /// Whether it is an adapter as PEFT keeps them.
    package var isAdapterFolder = false

    /// - Parameter format: what is written; nil for that of the input. PEFT's are folders.
    package func output(in folder: FilePath, as format: AdapterFormat?) -> FilePath {
      let isFolder = format.map { $0 == .peft } ?? isAdapterFolder
      return folder.appending(named: name + (isFolder ? "" : ending))
    }
  }

  package private(set) var items: [Item] = []
  private let isRecursive: Bool
  private let excluded: String

  /// - Parameters:
  ///   - inputs: files, folders that are an adapter or a model, and folders with such.
  ///   - excluded: a folder that is passed over, that of the outputs.
  /// - Throws: what the file system reports of a folder.
  package init(_ inputs: [FilePath], isRecursive: Bool, excluding excluded: FilePath) throws {
    self.isRecursive = isRecursive
    self.excluded = Self.canonical(excluded)
    for input in inputs {
      if Self.isFolder(input), !Self.isModel(input) {
        try add(input, below: "")
      } else {
        let name =
          input.lexicallyNormalized().lastComponent.map { FilePath(root: nil, [$0]).text }
          ?? "model"
        items.append(Self.item(input, name))
      }
    }
  }

  private static let endings = [
    ".safetensors.zst", ".safetensors", ".ckpt", ".pth", ".pt", ".bin",
  ]

  private mutating func add(_ folder: FilePath, below prefix: String) throws {
    let names = try folder.names()
    let indices = names.filter { $0.contains(".safetensors.index.") && $0.hasSuffix(".json") }
    for name in names {
      let path = folder.appending(named: name)
      if Self.isFolder(path) {
        if Self.canonical(path) == excluded { continue }
        if Self.isModel(path) {
          items.append(Self.item(path, prefix + name))
        } else if isRecursive {
          try add(path, below: prefix + name + "/")
        }
      } else if indices.contains(name) {
        let stem = name[
          ..<(name.firstRange(of: ".safetensors.index.")?.lowerBound ?? name.endIndex)]
        items.append(Item(input: path, name: prefix + stem, ending: ".safetensors"))
      } else if Self.endings.contains(where: name.hasSuffix), !name.contains(/-\d{5}-of-\d{5}/) {
        items.append(Self.item(path, prefix + name))
      }
    }
  }

  private static func item(_ path: FilePath, _ name: String) -> Item {
    guard !isFolder(path) else {
      let isComponents = exists(path.appending("model_index.json"))
      return Item(
        input: path, name: name, ending: isComponents ? "" : ".safetensors",
        isAdapterFolder: exists(path.appending("adapter_config.json")))
    }
    let ending = endings.first(where: name.hasSuffix) ?? ""
    return Item(
      input: path, name: String(name.dropLast(ending.count)),
      ending: ending == ".safetensors.zst" ? ending : ".safetensors")
  }

  /// Whether a folder is one adapter or one model: it says so by its configuration.
  package static func isModel(_ folder: FilePath) -> Bool {
    ["adapter_config.json", "model_index.json", "config.json"].contains {
      exists(folder.appending($0))
    }
  }

  private static func exists(_ path: FilePath) -> Bool { path.kind != nil }

  private static func isFolder(_ path: FilePath) -> Bool { path.kind == .folder }

  private static func canonical(_ path: FilePath) -> String {
    URL(filePath: path.text).standardizedFileURL.path(percentEncoded: false)
      .trimmingSuffixSlash
  }
}

extension String {
  fileprivate var trimmingSuffixSlash: String { hasSuffix("/") ? String(dropLast()) : self }
}
