import Adapters
import Checkpoints
package import ModelFamilies
import OrderedCollections
import Safetensors
package import SystemPackage
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
  private static let denoisers: Set<String> = [
    "", "unet",  // diffusers: its folders
    "transformer", "prior",
  ]

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
        var configuration = PEFTConfiguration(Array(modules), prefix: prefix + ".")
        // Only for PEFT are factors turned back.
        configuration.keepsInputsFirst = false
        for (field, value) in configuration.fields { metadata["\(prefix).\(field)"] = value }
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
      let isFile = output.lastComponent?.string == AdapterFormat.peftModelName
      guard isFile || output.extension != "safetensors" else { throw .folderForPEFT(output) }
      let output = isFile ? output.removingLastComponent() : output
      files = components.map { folder, modules in
        let prefix = (folder.isEmpty ? "" : folder + "/") + PEFTConfiguration.prefix
        let isAlone = components.count == 1 && Self.denoisers.contains(folder)
        return File(
          path: (isAlone ? output : output.appending(folder))
            .appending(AdapterFormat.peftModelName),
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

  /// Adds all files to a set, so that they appear together.
  /// - Throws: `SafetensorsError`
  func add(to set: inout OutputSet, metadata: [String: String]?) throws(SafetensorsError) {
    for file in files {
      try set.makeFolder(file.path.folder)
      try AdapterWriter.add(file.tensors, metadata: metadata, at: file.path, to: &set)
      guard let text = file.configuration else { continue }
      try set.add(
        Array((text + "\n").utf8), at: file.path.folder.appending("adapter_config.json"))
    }
  }
}

extension String {
  /// What stands before the first slash.
  fileprivate var folder: String? { firstIndex(of: "/").map { String(self[..<$0]) } }

  /// What stands before the first dot.
  fileprivate var beginning: String { String(prefix { $0 != "." }) }
}

extension AdapterFormat {
  /// What PEFT calls the tensors of an adapter.
  package static let peftModelName = "adapter_model.safetensors"

  /// The files that an adapter may be written to, whatever its format: the output itself, PEFT's in it, and
  /// HCP's beside it.
  package static func files(for output: FilePath) -> [FilePath] {
    let name = output.lastComponent?.string ?? ""
    return [output, output.appending(peftModelName)]
      + ["unet-", "text_encoder-"].map { output.folder.appending($0 + name) }
  }
}
