import Autograd
import Checkpoints
import Foundation
import LinearAlgebra
import ModelFamilies
import OrderedCollections
import Pipelines
import Safetensors
import Sampling
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Training

/// Against torch in double precision, see `scripts/fixtures/training/make-distillation-fixture.py`.
@Suite struct DistillationOracleTests {
  @Test func lossAndGradientAreThoseOfTorch() throws {
    let folder = TemporaryFolder()
    let (pipeline, key) = (TinyPipeline("tiny-sd1"), "unet/mid_block.resnets.0.conv1.weight")
    let tuned = try pipeline.writeFolder(in: folder) { name, tensor in
      guard name == key else { return (name, tensor) }
      return (name, EncodedTensor(tensor.decoded() * 2, as: tensor.dtype))
    }
    let golden = try pipeline.golden()
    let expected = try TensorFile(
      opening: Fixtures.path("training/models/tiny-sd1.distillation.safetensors"))
    func value(_ file: TensorFile, _ name: String) throws -> Tensor {
      try #require(file.tensors[name]).tensor()
    }
    func model(_ path: FilePath) throws -> StableDiffusionPipeline {
      let base = try BaseModel(opening: path, as: .named("sd1"))
      return try StableDiffusionPipeline(
        base, ModelSettings(base: path), checkpointsBlocks: false)
    }
    let student = try model(pipeline.folder)
    let teacher = Teacher(try model(tuned), nil)
    let latents = try value(golden, "unet.latents")
    let vectors = try value(golden, "unet.context")
    let problem = teacher.posed(
      Problem(input: latents, target: Tensor(zeros: latents.shape), times: [17, 801]),
      Variable(vectors * 2))
    let context = Parameter("context", vectors)
    let loss = Recording().record {
      let prediction = student.predict(
        Variable(problem.input), at: problem.times, context.variable)
      let loss = DiscreteObjective(
        schedule: NoiseSchedule(), noise: NoiseSettings(), settings: LossSettings()
      ).loss(of: problem, prediction, weights: [1, 1], mask: nil)
      loss.total.backpropagate(Tensor(scalar: 1))
      return loss
    }
    // As in UNetTests: f32 sums through some 60 layers in another order.
    expectClose(problem.target, try value(expected, "target"), tolerance: 1e-5, "target")
    let losses = Tensor([2], loss.samples.map { Float($0) })
    // A square of differences: relative errors of both are larger than of what is predicted.
    expectClose(losses, try value(expected, "losses"), tolerance: 1e-4, "losses")
    expectClose(
      try #require(context.gradient), try value(expected, "context.gradient"), tolerance: 1e-4,
      "gradient")
  }
}
