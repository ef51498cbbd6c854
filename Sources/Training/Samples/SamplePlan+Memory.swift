import Pipelines
import Sampling

extension SamplePlan {
  /// Bytes that are needed beside weights and adapter while a picture is drawn.
  func bytes(_ outline: PipelineOutline) -> Int {
    pictures.map { $0.bytes(outline) }.max() ?? 0
  }
}
