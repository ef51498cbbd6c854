import OrderedCollections
package import Safetensors

extension TensorFile {
  /// A hash of names, formats, shapes and ends of tensors: another one for other weights, without reading them all.
  /// - Parameter isIncluded: told the name of a tensor.
  package func identity(of isIncluded: (String) -> Bool = { _ in true }) -> String {
    let hash = SHA256()
    let part = 4096
    for (key, view) in tensors where isIncluded(key) {
      hash.update("\(key) \(view.dtype) \(view.shape)\n")
      let bytes = view.bytes
      hash.update(bytes.extracting(first: part))
      hash.update(bytes.extracting(last: part))
    }
    return hash.finish()
  }
}
