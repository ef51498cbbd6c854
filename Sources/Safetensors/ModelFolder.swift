import Machine
import SystemPackage

/// Which file of a folder is the model.
struct ModelFolder {
  /// The file or shard index to open, or `nil` if there is none.
  let model: FilePath?

  /// Takes safetensors before torch files, the plain name where several files are there, without it
  /// the only one.
  /// - Throws: `ambiguous`, `shardsWithoutIndex`, `io`
  init(_ folder: FilePath) throws(SafetensorsError) {
    let names = try Self.names(in: folder)
    for kind in [Self.safetensors, Self.torch] {
      if let name = try kind.model(among: names, in: folder) {
        model = folder.appending(named: name)
        return
      }
    }
    model = nil
  }

  /// How weights of one format are named.
  private struct Kind {
    /// Of files.
    let endings: [String]
    /// Before the `index` of shards.
    let sharded: String
    /// What diffusers, transformers and peft call the weights of a component, best first, without
    /// their ending.
    let plainNames: [String]

    func model(among names: [String], in folder: FilePath) throws(SafetensorsError) -> String? {
      let weights = names.filter { name in endings.contains { name.hasSuffix($0) } }
      let candidates = weights.filter { !ModelFolder.isShard($0) } + names.filter(isIndex)
      let plain = plainNames.lazy.flatMap { name in
        [endings[0], "\(sharded).index.json", endings[1]].map { name + $0 }
      }.first { candidates.contains($0) }
      if let name = plain ?? (candidates.count == 1 ? candidates[0] : nil) { return name }
      guard candidates.isEmpty else { throw .ambiguous(folder, candidates: candidates) }
      guard weights.isEmpty else { throw .shardsWithoutIndex(folder, shards: weights) }
      return nil
    }

    /// `X.safetensors.index.json`, with a variant before `.json` at most.
    func isIndex(_ name: String) -> Bool {
      name.contains("\(sharded).index.") && name.hasSuffix(".json")
    }
  }

  /// Whether a folder with files of these names says that it is one model: by a configuration beside its only weights, or
  /// by the names that libraries give the weights of a component.
  static func isComponent(_ names: [String]) -> Bool {
    let weights = names.filter { isWeights($0) && !isShard($0) } + names.filter(isIndex)
    return weights.count == 1 && names.contains("config.json")
      || !weights.isEmpty && names.contains("adapter_config.json")
      || weights.contains { name in
        [safetensors, torch].contains { kind in
          kind.plainNames.contains { name.hasPrefix($0 + ".") }
        }
      }
  }

  /// What diffusers calls the folders of the components that have weights, or what their names begin with.
  private static let componentNames = [
    "unet", "vae",  // diffusers: names of folders
    "transformer", "vqgan", "vqvae", "text_encoder", "prior", "decoder", "image_encoder",
    "controlnet", "connectors",
  ]

  /// Whether a folder is a component of a pipeline, by its name.
  static func isComponentName(_ name: String) -> Bool {
    componentNames.contains(where: name.hasPrefix)
  }

  /// Whether a file holds weights, by the ending of its name.
  static func isWeights(_ name: String) -> Bool {
    [safetensors, torch].contains { $0.endings.contains(where: name.hasSuffix) }
  }

  private static let safetensors = Kind(
    endings: [".safetensors", ".safetensors.zst"], sharded: ".safetensors",
    plainNames: ["diffusion_pytorch_model", "model", "adapter_model"])
  private static let torch = Kind(
    endings: [".bin", ".ckpt", ".pt", ".pth"], sharded: ".bin",
    plainNames: ["diffusion_pytorch_model", "pytorch_model", "adapter_model", "model"])

  /// Whether a file is the index of shards, by its name.
  static func isIndex(_ name: String) -> Bool {
    safetensors.isIndex(name) || torch.isIndex(name)
  }

  /// Whether a name contains `-00001-of-00003`.
  private static func isShard(_ name: String) -> Bool {
    name.contains(/-\d{5}-of-\d{5}/)
  }

  static func names(in folder: FilePath) throws(SafetensorsError) -> [String] {
    do {
      return try Posix.names(in: folder)
    } catch {
      throw .io(folder, .list, error)
    }
  }
}
