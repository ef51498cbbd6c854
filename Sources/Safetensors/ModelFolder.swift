import SystemPackage

/// Which file of a folder is the model.
struct ModelFolder {
  /// The file or shard index to open, or `nil` if there is none.
  let model: FilePath?
  /// Names of weights in torch's pickle format.
  let pickles: [String]

  /// Takes the plain name where several files are there; without it the only one.
  /// - Throws: `ambiguous`, `shardsWithoutIndex`, `io`
  init(_ folder: FilePath) throws(SafetensorsError) {
    let names = try Self.names(in: folder)
    pickles = names.filter { name in
      [".bin", ".ckpt", ".pt", ".pth"].contains { name.hasSuffix($0) }
    }
    let weights = names.filter { name in
      [".safetensors", ".safetensors.zst"].contains { name.hasSuffix($0) }
    }
    let whole = weights.filter { !Self.isShard($0) }
    let candidates = whole + names.filter(Self.isIndex)
    let plain = Self.plainNames.first { candidates.contains($0) }
    if let name = plain ?? (candidates.count == 1 ? candidates[0] : nil) {
      model = folder.appending(name)
    } else if !candidates.isEmpty {
      throw .ambiguous(folder, candidates: candidates)
    } else if !weights.isEmpty {
      throw .shardsWithoutIndex(folder, shards: weights)
    } else {
      model = nil
    }
  }

  /// What diffusers and transformers call the weights of a component, best first.
  private static let plainNames = ["diffusion_pytorch_model", "model"].flatMap {
    ["\($0).safetensors", "\($0).safetensors.index.json", "\($0).safetensors.zst"]
  }

  /// `X.safetensors.index.json`, with a variant before `.json` at most.
  static func isIndex(_ name: String) -> Bool {
    name.contains(".safetensors.index.") && name.hasSuffix(".json")
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
