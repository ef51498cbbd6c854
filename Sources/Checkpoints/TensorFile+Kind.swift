import OrderedCollections
package import Safetensors

extension TensorFile {
  /// Whether it is a model rather than an adapter, by its keys: an adapter is what has a suffix of
  /// one, or of a format that is refused, on half of its tensors.
  package var isCheckpoint: Bool {
    guard !tensors.keys.contains(where: { RefusedFormat.recognize($0) != nil }) else {
      return false
    }
    guard AdapterFile.looksLikeAdapter(tensors.keys) else { return true }
    // What is wrong with an adapter is said where it is read.
    guard let adapter = try? AdapterFile(self, .kept) else { return false }
    let embeddings = adapter.unrecognized.count { $0.hasPrefix("bundle_emb.") }
    return 2 * (adapter.unrecognized.count - embeddings) > tensors.count
  }
}
