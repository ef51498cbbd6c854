import Adapters
import Checkpoints
import Safetensors
import SystemPackage

/// The tensors of an extracted adapter under their keys, ready to be written.
struct ExtractedFile {
  private let tensors: [TensorView]

  /// - Parameters:
  ///   - modules: key prefix and factors; a prefix may come more than once, with other suffixes.
  ///   - file: what they were extracted from
  init(_ modules: [(name: String, factorization: Factorization)], from file: FilePath) {
    tensors = modules.flatMap { name, factorization in
      factorization.factors.map { TensorView("\(name).\($0.suffix)", $0.tensor, from: file) }
    }
  }

  /// Writes the file with `metadata` and the hashes of its contents.
  /// - Throws: `SafetensorsError`
  func write(to path: FilePath, metadata: [String: String]?) throws(SafetensorsError) {
    try AdapterWriter.write(tensors, metadata: metadata, to: path)
  }
}
