import Checkpoints
import OrderedCollections
package import Pipelines
import Safetensors
import SystemPackage

extension PictureParameters.Adapter {
  /// The hash is what the file says (`sshs_model_hash`), or that of its data.
  /// - Throws: what opening throws.
  package init(_ adapter: MergedAdapter) throws {
    let file = try TensorFile(opening: adapter.path)
    let hash =
      file.metadata["sshs_model_hash"]
      ?? ModelHash(of: file.tensors.values, metadata: file.metadata).model
    self.init(
      name: adapter.path.stem ?? "", denoiserRatio: adapter.denoiserRatio,
      textRatio: adapter.textRatio, hash: String(hash.prefix(12)))
  }
}
