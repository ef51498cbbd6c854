import Autograd
import Checkpoints
import Machine
import ModelFamilies
import Pipelines

extension SamplingPlan {
  /// Bytes that drawing takes: text encoders are gone when the denoiser comes.
  var bytes: Int {
    let picture = pictures.map { $0.bytes(outline) }.max() ?? 0
    return max(textBytes, bytes(of: .denoiser) + picture)
  }

  /// Bytes of text encoders, as far as they are in memory at a time.
  private var textBytes: Int {
    bytes(of: .text) + outline.streamedTextBytes(configuration.model)
  }

  private func bytes(of role: ComponentRole) -> Int {
    outline.modules.reduce(0) {
      $0 + ($1.role == role ? configuration.model.bytes(of: $1) : 0)
    }
  }

  /// - Parameter available: bytes; nil where nobody knows.
  /// - Throws: `SamplingError.memory` for pictures that cannot fit, `.weights` where none would.
  package func checkMemory(
    _ available: Int? = AvailableMemory.bytes
  ) throws(SamplingError) {
    guard let available, bytes > available,
      let largest = pictures.max(by: { $0.width * $0.height < $1.width * $1.height })
    else { return }
    let isNarrow = configuration.model.compute == .bf16
    let weights = max(textBytes, bytes(of: .denoiser))
    guard weights <= available else {
      throw .weights(needed: weights, available: available, isNarrow: isNarrow)
    }
    throw .memory(
      width: largest.width, height: largest.height, needed: bytes, available: available,
      isNarrow: isNarrow)
  }
}
