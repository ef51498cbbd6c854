import Autograd
import Checkpoints
import Machine
import ModelFamilies
import Pipelines

extension SamplingPlan {
  /// Bytes that drawing takes: text encoders are gone when the denoiser comes.
  var bytes: Int {
    func weights(_ isTaken: (ComponentRole) -> Bool) -> Int {
      outline.modules.reduce(0) {
        $0 + (isTaken($1.role) ? configuration.model.bytes(of: $1) : 0)
      }
    }
    let streamed = outline.streamedTextBytes(configuration.model)
    let picture = pictures.map { $0.bytes(outline) }.max() ?? 0
    return max(weights { $0 == .text } + streamed, weights { $0 == .denoiser } + picture)
  }

  /// - Throws: `SamplingError.memory` for pictures that cannot fit.
  package func checkMemory() throws(SamplingError) {
    guard let available = AvailableMemory.bytes, bytes > available,
      let largest = pictures.max(by: { $0.width * $0.height < $1.width * $1.height })
    else { return }
    throw .memory(
      width: largest.width, height: largest.height, needed: bytes, available: available,
      isNarrow: configuration.model.compute == .bf16)
  }
}
