import Adapters
import Checkpoints
import FoundationEssentials
import ModelFamilies
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors

/// The files that a converted adapter is written to.
struct AdapterOutput {
  /// A file of tensors, and the configuration beside it.
  struct File {
    let path: FilePath
    let tensors: [TensorView]
    let configuration: String?
  }

  /// Folders of components that PEFT's own folder may stand for, since their names say enough.
  private static let denoisers: Set<String> = ["", "unet", "transformer", "prior"]

  /// What PEFT calls the tensors of an adapter.
  static let modelName = "adapter_model.safetensors"

  let files: [File]
  /// An entry of the header that says what PEFT is to make, for diffusers.
  let adapterMetadata: String?

  /// - Parameters:
  ///   - modules: as the format stores them.
  ///   - others: tensors of no module, under their own names.
  /// - Throws: `OperationError.folderForPEFT` for a file that PEFT would not find.
  init(
    _ modules: [AdapterModule], _ others: [TensorView], spelled spelling: AdapterSpelling,
    to output: FilePath
  ) throws(OperationError) {
    let target = spelling.target
    var components: OrderedDictionary<String, [AdapterModule]> = [:]
    for module in modules {
      let folder = target.separatesComponents ? module.name.folder : nil
      components[folder ?? "", default: []].append(module)
    }
    if components.isEmpty { components[""] = [] }
    var metadata: [String: PEFTValue] = [:]
    if target == .diffusers, spelling.policy == .config {
      for (prefix, modules) in OrderedDictionary(grouping: modules, by: \.name.beginning) {
        let fields = PEFTConfiguration(Array(modules), prefix: prefix + ".").fields
        for (field, value) in fields { metadata["\(prefix).\(field)"] = value }
      }
    }
    adapterMetadata = metadata.isEmpty ? nil : PEFTValue.object(metadata).json
    let first = components.keys[0]
    func tensors(_ folder: String, _ modules: [AdapterModule]) -> [TensorView] {
      let start = folder.isEmpty ? 0 : folder.count + 1
      return modules.flatMap { spelling.tensors(of: $0) }.map {
        $0.renamed(String($0.name.dropFirst(start)))
      } + (folder == first ? others : [])
    }
    switch target {
    case .peft where !spelling.isLoose:
      let isFile = output.lastComponent?.string == Self.modelName
      guard isFile || output.extension != "safetensors" else { throw .folderForPEFT(output) }
      let output = isFile ? output.removingLastComponent() : output
      files = components.map { folder, modules in
        let prefix = (folder.isEmpty ? "" : folder + "/") + PEFTConfiguration.prefix
        let isAlone = components.count == 1 && Self.denoisers.contains(folder)
        return File(
          path: (isAlone ? output : output.appending(folder))
            .appending(Self.modelName),
          tensors: tensors(folder, modules),
          configuration: PEFTConfiguration(modules, prefix: prefix).json)
      }
    case .hcp:
      var byFile: OrderedDictionary<String, [TensorView]> = [:]
      for (folder, modules) in components {
        let isText = folder.hasPrefix("text_encoder")
        byFile[folder.isEmpty ? "" : isText ? "text_encoder-" : "unet-", default: []] += tensors(
          folder, modules)
      }
      let name = output.lastComponent?.string ?? "adapter.safetensors"
      files = byFile.map { prefix, tensors in
        let isNamed = name.hasPrefix("unet-") || name.hasPrefix("text_encoder-")
        return File(
          path: prefix.isEmpty || (isNamed && name.hasPrefix(prefix))
            ? output : output.removingLastComponent().appending(prefix + name),
          tensors: tensors, configuration: nil)
      }
    default:
      files = [
        File(path: output, tensors: components.flatMap { tensors($0, $1) }, configuration: nil)
      ]
    }
  }

  /// Bytes of all files of tensors, before any compression.
  func byteCount(metadata: [String: String]?) -> Int {
    files.reduce(0) { $0 + AdapterWriter.byteCount(of: $1.tensors, metadata: metadata) }
  }

  /// Writes all files, each of which appears when all are whole.
  /// - Throws: `SafetensorsError`, and what the file system reports.
  func write(metadata: [String: String]?) throws {
    if files.count == 1, files[0].configuration == nil {
      return try AdapterWriter.write(files[0].tensors, metadata: metadata, to: files[0].path)
    }
    let manager = FileManager.default
    let first = files[0].path
    let common = files.dropFirst().reduce(first.removingLastComponent()) { folder, file in
      var folder = folder
      while !file.path.starts(with: folder) { folder.removeLastComponent() }
      return folder
    }
    let parent = common.removingLastComponent()
    let staging = (parent.isEmpty ? FilePath(".") : parent)
      .appending(".lyco-convert-\(ProcessInfo.processInfo.processIdentifier)")
    try manager.createDirectory(atPath: staging.string, withIntermediateDirectories: true)
    defer { try? manager.removeItem(atPath: staging.string) }
    var moves: [(from: FilePath, to: FilePath)] = []
    for (index, file) in files.enumerated() {
      let name = "\(index)-" + (file.path.lastComponent?.string ?? "")
      let staged = staging.appending(name)
      try AdapterWriter.write(file.tensors, metadata: metadata, to: staged)
      moves.append((staged, file.path))
      if let text = file.configuration {
        let path = staging.appending("\(index)-adapter_config.json")
        try Data((text + "\n").utf8).write(to: URL(filePath: path.string))
        moves.append(
          (path, file.path.removingLastComponent().appending("adapter_config.json")))
      }
    }
    for (source, target) in moves {
      let folder = target.removingLastComponent()
      if !folder.isEmpty {
        try manager.createDirectory(atPath: folder.string, withIntermediateDirectories: true)
      }
      if manager.fileExists(atPath: target.string) { try manager.removeItem(atPath: target.string) }
      try manager.moveItem(atPath: source.string, toPath: target.string)
    }
  }
}

extension String {
  /// What stands before the first slash.
  fileprivate var folder: String? { firstIndex(of: "/").map { String(self[..<$0]) } }

  /// What stands before the first dot.
  fileprivate var beginning: String { String(prefix { $0 != "." }) }
}
