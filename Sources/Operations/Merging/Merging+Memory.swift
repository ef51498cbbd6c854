import Safetensors

extension Merging {
  /// Refuses what cannot fit: a tensor that is computed whole, beside what is made of it.
  /// - Throws: `OperationError.workingMemory`
  func checkMemory(_ outputs: [TensorInfo]) throws(OperationError) {
    for info in outputs where plan.contributions[info.name] != nil {
      // Strips are small, whatever the tensor.
      guard parts(of: info, key: info.name).count == 1 else { continue }
      try WorkingMemory.require(info.shape, copies: 2, for: info.name)
    }
  }
}
