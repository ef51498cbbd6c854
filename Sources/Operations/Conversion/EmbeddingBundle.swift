import Checkpoints
import OrderedCollections
package import Safetensors
package import SystemPackage
import Tensors

/// Embeddings that go into an adapter file, or come out of it.
///
/// A bundle has them as `bundle_emb.<name>.<key>`, where the key is that of the embedding's own file;
/// loaders take the name for the word that stands for it, up to the first dot. Source: LyCORIS
/// `batch_bundle_convert.py`, the web UI's `networks.py`, ComfyUI's `bundled_embed`.
package struct EmbeddingBundle: Sendable {
  /// An embedding by the name it has in prompts.
  package struct Embedding: Sendable {
    package let name: String
    package let file: TensorFile

    /// - Throws: `BundleError.notAnEmbedding`, `.name`
    package init(_ file: TensorFile) throws(BundleError) {
      name = file.path.stem ?? ""
      self.file = file
      guard !name.isEmpty, !name.contains(".") else { throw .name(file.path) }
      let vectors = file.tensors.filter { EmbeddingBundle.isVector($0.key) }
      guard !vectors.isEmpty,
        vectors.values.allSatisfy({
          $0.dtype.isFloatingPoint && (1...2).contains($0.shape.dimensions.count)
        })
      else { throw .notAnEmbedding(file.path, keys: Array(file.tensors.keys.prefix(3))) }
    }

    /// Under the keys of a bundle.
    fileprivate var tensors: [TensorView] {
      file.tensors.filter { EmbeddingBundle.isVector($0.key) }.map { key, view in
        // ComfyUI looks for the name that the web UI's older files have.
        let key = key == EmbeddingBundle.plainKey ? EmbeddingBundle.tokenKey : key
        return view.renamed("\(AdapterKey.bundlePrefix)\(name).\(key)")
      }
    }
  }

  /// The key of the only vectors in a safetensors file.
  fileprivate static let plainKey = "emb_params"
  /// The same in a pickled file.
  fileprivate static let tokenKey = "string_to_param.*"

  package var added: [Embedding]
  /// Whether embeddings are left out of the adapter.
  package var isUnpacked: Bool

  package init(added: [Embedding] = [], isUnpacked: Bool = false) {
    self.added = added
    self.isUnpacked = isUnpacked
  }

  /// Vectors by the names of the web UI, ComfyUI and OneTrainer.
  private static func isVector(_ key: String) -> Bool {
    ["emb_params", "clip_l", "clip_g", "t5", "t5xxl", "gemma", "qwen"].contains(key)
      || key.hasSuffix("_out") || key.hasPrefix("string_to_param.")
      || key.hasPrefix("<") && key.hasSuffix(">")
  }

  /// Tensors that go with an adapter's modules, bundled ones as they are to be.
  /// - Throws: `BundleError.clash` where two embeddings have one name and other numbers.
  func tensors(_ others: [TensorView]) throws(BundleError) -> [TensorView] {
    let kept =
      isUnpacked ? others.filter { !$0.name.hasPrefix(AdapterKey.bundlePrefix) } : others
    var tensors: OrderedDictionary<String, TensorView> = [:]
    for view in kept + added.flatMap(\.tensors) {
      if let other = tensors[view.name] {
        guard
          other.dtype == view.dtype && other.shape == view.shape
            && other.bytes.isEqual(to: view.bytes)
        else { throw .clash(view.name, first: other.file, second: view.file) }
      }
      tensors[view.name] = view
    }
    // One name whose vectors come from two files would be a mixture of both.
    for embedding in added {
      let prefix = "\(AdapterKey.bundlePrefix)\(embedding.name)."
      if let other = tensors.values.first(where: {
        $0.name.hasPrefix(prefix) && $0.file != embedding.file.path
      }), !embedding.tensors.contains(where: { $0.name == other.name }) {
        throw .clash(other.name, first: other.file, second: embedding.file.path)
      }
    }
    return Array(tensors.values)
  }

  /// The embeddings in adapters, as files of their own have them, by name.
  /// - Throws: `BundleError.empty` if there is none, `.name` for a name that is none of a file,
  ///   `.clash` if two adapters have other numbers under one name.
  package static func embeddings(
    in files: [TensorFile]
  ) throws(BundleError) -> [String: [TensorView]] {
    var embeddings: [String: [TensorView]] = [:]
    for file in files {
      for (key, view) in file.tensors where key.hasPrefix(AdapterKey.bundlePrefix) {
        let rest = key.dropFirst(AdapterKey.bundlePrefix.count)
        let name = String(rest.prefix { $0 != "." })
        guard FilePath.Component(name)?.kind == .regular, rest.count > name.count + 1 else {
          throw .name(file.path)
        }
        let inner = String(rest.dropFirst(name.count + 1))
        let plain = inner == tokenKey ? plainKey : inner
        if let other = embeddings[name]?.first(where: { $0.name == plain }) {
          guard other.bytes.isEqual(to: view.bytes) else {
            throw .clash(key, first: other.file, second: view.file)
          }
        } else {
          embeddings[name, default: []].append(view.renamed(plain))
        }
      }
    }
    guard !embeddings.isEmpty else { throw .empty(files[0].path) }
    return embeddings
  }

  /// Writes each to `<name>.safetensors`; they appear together.
  /// - Throws: `SafetensorsError`
  package static func write(
    _ embeddings: [String: [TensorView]], to folder: FilePath
  ) throws(SafetensorsError) {
    var set = OutputSet()
    try set.makeFolder(folder)
    for (name, tensors) in embeddings.sorted(by: { $0.key < $1.key }) {
      try AdapterWriter.add(
        tensors, metadata: nil, at: folder.appending(name + ".safetensors"), to: &set)
    }
    try set.commit()
  }
}
