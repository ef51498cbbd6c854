import Checkpoints
import ModelFamilies
import OrderedCollections
import Safetensors

extension ModelFamily {
  /// What a file holds, in a few words: an adapter, a part of the family's models, or something else that its first tensor
  /// is named for.
  func contents(of file: TensorFile) -> String {
    if AdapterFile.looksLikeAdapter(file.tensors.keys) { return "an adapter" }
    func holds(_ component: String, _ names: [(key: String, whole: String)]) -> Bool {
      let tensors = names.map { key, whole in (key: whole, shape: file.tensors[key]!.shape) }
      guard let layout = try? ModelLayout(of: tensors, as: self) else { return false }
      return 2 * tensors.count { layout.component(ofKey: $0.key) == component } > tensors.count
    }
    // Names of a part alone may be those that it has in a checkpoint.
    let keys = file.tensors.keys.map { (key: $0, whole: $0) }
    for component in components(.text) + components(.autoencoder)
    where holds(component, wholeKeys(file.tensors.keys, ofFileOf: component))
      || holds(component, keys)
    {
      return "the \(ModelLoadingError.title(option(of: component) ?? component))"
    }
    if holds(denoiser, keys) { return "a checkpoint of \(title)" }
    return file.tensors.keys.first.map { "one with '\($0)'" } ?? "one without tensors"
  }
}
