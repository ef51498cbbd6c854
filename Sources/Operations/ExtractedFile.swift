import Adapters
import Checkpoints
import Safetensors
import SystemPackage
import Tensors

/// The tensors of an extracted adapter under their keys, ready to be written.
struct ExtractedFile {
  private let tensors: [String: EncodedTensor]

  /// - Parameter modules: key prefix and factors; a prefix may come more than once, with other
  ///   suffixes.
  init(_ modules: [(name: String, factorization: Factorization)]) {
    var tensors: [String: EncodedTensor] = [:]
    for (name, factorization) in modules {
      for factor in factorization.factors { tensors["\(name).\(factor.suffix)"] = factor.tensor }
    }
    self.tensors = tensors
  }

  var byteCount: Int { tensors.values.reduce(0) { $0 + $1.bytes.count } }

  private var infos: [TensorInfo] {
    tensors.map { TensorInfo(name: $0, dtype: $1.dtype, shape: $1.shape) }
  }

  /// Writes the file with `metadata` and the hashes of its contents.
  /// - Throws: `SafetensorsError`
  func write(to path: FilePath, metadata: [String: String]?) throws(SafetensorsError) {
    var metadata = metadata
    if metadata != nil {
      let hashes = ModelHash(of: infos, metadata: metadata ?? [:]) { tensors[$0]?.bytes ?? [] }
      metadata?["sshs_model_hash"] = hashes.model
      metadata?["sshs_legacy_hash"] = hashes.legacy
    }
    var writer = try SafetensorsWriter.create(
      path, announcing: infos, metadata: metadata ?? [:])
    for info in writer.order {
      guard let tensor = tensors[info.name] else { continue }
      try writer.append(info.name, tensor.rawBytes)
    }
    try writer.finish()
  }
}
