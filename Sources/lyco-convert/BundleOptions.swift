import ArgumentParser
import Machine
import Operations
import Safetensors
import SystemPackage

/// Embeddings in adapter files.
struct BundleOptions: ParsableArguments {
  @Option(
    name: .customLong("bundle_add"),
    help: ArgumentHelp(
      "Pack textual inversion embeddings into the adapter, each under the name of its file. "
        + "Several.", valueName: "file"), completion: .file())
  var added: [String] = []

  @Option(
    name: .customLong("unbundle"),
    help: ArgumentHelp(
      "Write the embeddings of an adapter to this folder and the adapter without them.",
      valueName: "folder"), completion: .directory)
  var unpackedFolder: String?

  /// - Throws: `SafetensorsError` from opening, `BundleError`.
  func bundle() throws -> EmbeddingBundle {
    EmbeddingBundle(
      added: try added.map {
        try EmbeddingBundle.Embedding(TensorFile(opening: FilePath(named: $0)))
      }, isUnpacked: unpackedFolder != nil)
  }
}
