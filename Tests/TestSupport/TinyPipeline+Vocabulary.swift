package import SystemPackage
import Tensors

extension TinyPipeline {
  private static let wholeVocabulary = 49408

  /// Copies the folder with text encoders for all tokens of CLIP: the few rows of their tables come again and again, as
  /// in `scripts/fixtures/sampling/make-picture-fixtures.py`.
  package func writeWholeVocabulary(in target: borrowing TemporaryFolder) throws -> FilePath {
    try writeFolder(in: target) { name, tensor in
      guard name.hasSuffix("embeddings.token_embedding.weight") else { return (name, tensor) }
      let count = Self.wholeVocabulary * tensor.bytes.count / tensor.shape.rows
      var bytes: [UInt8] = []
      bytes.reserveCapacity(count + tensor.bytes.count)
      while bytes.count < count { bytes += tensor.bytes }
      return (
        name,
        EncodedTensor(
          tensor.dtype, [Self.wholeVocabulary, tensor.shape.columns], Array(bytes.prefix(count)))
      )
    }
  }
}
