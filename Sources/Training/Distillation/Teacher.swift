import Autograd
import Pipelines
import Tensors

/// A model that an adapter learns from, in memory: frozen, without an adapter.
final class Teacher<Pipeline: ModelPipeline> {
  let pipeline: Pipeline
  /// nil where the captions of the base are its own, as text encoders make them that nobody trains.
  let captions: KnownCaptions?

  init(_ pipeline: Pipeline, _ captions: KnownCaptions?) {
    self.pipeline = pipeline
    self.captions = captions
  }

  /// The problem with what this model finds in the place of what was done to latents.
  func posed(_ problem: Problem, _ condition: Pipeline.Condition) -> Problem {
    let found = Recording.pause {
      pipeline.predict(Variable(problem.input), at: problem.times, condition).value
    }
    return Problem(input: problem.input, target: found, times: problem.times)
  }
}
