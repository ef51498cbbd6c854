import Autograd
import LinearAlgebra
package import ModelFamilies
package import Pipelines
package import Tensors

/// Draws latents of pictures with a denoiser that is in memory, one picture at a time, so that a picture does not
/// depend on others that are drawn with it.
///
/// Nothing is recorded, and no random number of others is used: training that goes on afterwards is not changed.
package struct LatentSampler<Pipeline: ModelPipeline> {
  package let pipeline: Pipeline
  let latents: LatentLayout
  let prediction: Prediction
  let schedule: NoiseSchedule

  package init(
    _ pipeline: Pipeline, _ latents: LatentLayout, _ prediction: Prediction,
    _ schedule: NoiseSchedule
  ) {
    self.pipeline = pipeline
    self.latents = latents
    self.prediction = prediction
    self.schedule = schedule
  }

  /// - Parameters:
  ///   - prompts: in which the request's are.
  ///   - progress: told after each step how many are done, and the present estimate of the clean latents; throws to
  ///     stop.
  /// - Returns: `[1, height, width, channels]`, scaled.
  /// - Throws: `SamplingError.notFinite`, `SamplerError`, and what `progress` throws.
  package func draw(
    _ request: PictureRequest, _ prompts: EncodedPrompts,
    progress: (_ done: Int, _ clean: Tensor) throws -> Void
  ) throws -> Tensor {
    let extents = latents.extents(ofPicture: request.height, request.width)
    let shape: Shape = [1, extents.height, extents.width, latents.channels]
    var generator = TorchGenerator(seed: request.seed)
    let size = PictureSize(
      originalHeight: request.height, originalWidth: request.width, height: request.height,
      width: request.width)
    return try Recording.pause {
      var condition = pipeline.condition(prompts[request], request.texts.map { _ in size })
      if let guidance = request.guidance {
        condition = pipeline.telling(Float(guidance), in: condition)
      }
      let told = condition
      let solver = try request.solver(prediction, schedule)
      let start = generator.normal(latents: shape)
      let result = try solver.solve(
        start,
        denoise: { latents, time in guided(latents, at: time, told, request) },
        noise: { generator.normal(latents: shape) },
        progress: { done, clean in
          // What is no number in one step is none in all that follow.
          try Self.check(clean, request)
          try progress(done, clean)
        })
      try Self.check(result, request)
      return result
    }
  }

  private static func check(_ latents: Tensor, _ request: PictureRequest) throws(SamplingError) {
    guard latents.elements.allSatisfy(\.isFinite) else {
      throw .notFinite(prompt: request.prompt, seed: request.seed)
    }
  }

  /// What is predicted, drawn away from the negative prompt: u + s (c − u) (Ho and Salimans 2022, "Classifier-free
  /// diffusion guidance", in the form that all samplers of Stable Diffusion have).
  private func guided(
    _ latents: Tensor, at time: Float, _ condition: Pipeline.Condition, _ request: PictureRequest
  ) -> Tensor {
    let count = request.texts.count
    let batch = count == 1 ? latents : Tensor.stacked([latents, latents])
    let predicted = pipeline.predict(
      Variable(batch), at: [Float](repeating: time, count: count), condition
    ).value
    guard count > 1 else { return predicted }
    let (away, toward) = (predicted.rows(0..<1), predicted.rows(1..<2))
    return away.adding(toward.adding(away, times: -1), times: Float(request.scale))
  }
}
