import Autograd
import DiffusionModels
import OrderedCollections
import Pipelines
import Safetensors
import Tensors
import TestSupport
import Testing

/// Against diffusers in double precision. f32 sums through some 60 layers in another order leave about
/// 1e-6 of relative difference in the output, and a few times that in gradients.
@Suite struct UNetTests {
  @Test(arguments: [("tiny-sd1", false), ("tiny-sd1", true), ("tiny-sd2", false)])
  func outputAndGradientsAreThoseOfDiffusers(name: String, checkpointing: Bool) throws {
    let pipeline = TinyPipeline(name)
    let model = try StableDiffusionModel(opening: pipeline.folder)
    let golden = try pipeline.golden()
    func value(_ key: String) throws -> Tensor {
      try #require(golden.tensors["unet." + key]).tensor()
    }
    model.unet.checkpointsBlocks = checkpointing
    let latents = Parameter("latents", try value("latents"))
    let context = Parameter("context", try value("context"))
    let output = Recording().record {
      let output = model.unet(
        latents.variable, timesteps: [17, 801], context: context.variable)
      output.backpropagate(try! value("seed"))
      return output.value
    }
    expectClose(output, try value("output"), tolerance: 1e-5, "output")
    let gradients = (try #require(latents.gradient), try #require(context.gradient))
    expectClose(gradients.0, try value("latents.gradient"), tolerance: 1e-4, "latents")
    expectClose(gradients.1, try value("context.gradient"), tolerance: 1e-4, "context")
    print(
      name, "relative errors: output", relativeError(output, try value("output")), "gradients",
      relativeError(gradients.0, try value("latents.gradient")),
      relativeError(gradients.1, try value("context.gradient")))
  }

  /// bf16 has 8 bits: products through the depth of the model leave about a hundredth.
  @Test func narrowProductsAreClose() throws {
    let pipeline = TinyPipeline("tiny-sd1")
    let model = try StableDiffusionModel(opening: pipeline.folder, compute: .bf16)
    let golden = try pipeline.golden()
    let output = model.unet(
      Variable(try #require(golden.tensors["unet.latents"]).tensor()), timesteps: [17, 801],
      context: Variable(try #require(golden.tensors["unet.context"]).tensor()))
    let expected = try #require(golden.tensors["unet.output"]).tensor()
    expectClose(output.value, expected, tolerance: 4e-2, "bf16")
    print("bf16: relative error", relativeError(output.value, expected))
  }

  /// Halves that do not come out even are rounded up on the way down, and cut off on the way up.
  @Test func oddExtentsComeBack() throws {
    let unet = try StableDiffusionModel(opening: TinyPipeline("tiny-sd2").folder).unet
    let output = unet(
      Variable(Tensor(random: [1, 9, 13, 4], seed: 3)), timesteps: [500],
      context: Variable(Tensor(random: [1, 5, 32], seed: 4)))
    #expect(output.shape == [1, 9, 13, 4])
  }

  /// Gradients begin at the first layer that has something to train: what comes before it, and all text
  /// projections, are computed once and leave nothing behind.
  @Test func nothingIsRecordedBelowTheFirstParameter() throws {
    let unet = try StableDiffusionModel(opening: TinyPipeline("tiny-sd2").folder).unet
    let trained = "up_blocks.2.resnets.1.conv1"
    let probe = Probe(trained)
    for layer in unet.layers { layer.adaptation = probe }
    let layers = unet.layers.map(\.path)
    let output = Recording().record {
      unet(
        Variable(Tensor(random: [1, 8, 8, 4], seed: 3)), timesteps: [500],
        context: Variable(Tensor(random: [1, 5, 32], seed: 4)))
    }
    #expect(output.needsGradient)
    let start = try #require(probe.visited.firstIndex { $0.path == trained })
    #expect(probe.visited.count == layers.count)
    #expect(!probe.visited[...start].contains { $0.needsGradient })
    #expect(probe.visited[start...].count { $0.needsGradient } > 40)
    for (path, needsGradient) in probe.visited {
      let isConstant = ["attn2.to_k", "attn2.to_v", "time_emb_proj"].contains { path.hasSuffix($0) }
      #expect(!(isConstant && needsGradient), "\(path)")
    }
  }

  /// A block that keeps only its inputs is computed twice, with the same gradients.
  @Test func blocksThatAreComputedAgainGiveTheSameGradients() throws {
    let unet = try StableDiffusionModel(opening: TinyPipeline("tiny-sd2").folder).unet
    let trained = "up_blocks.2.resnets.1.conv1"
    let layer = try #require(unet.layers.first { $0.path == trained })
    func run(checkpointing: Bool) -> (visits: Int, gradient: Tensor?) {
      unet.checkpointsBlocks = checkpointing
      let probe = Probe(trained)
      layer.adaptation = probe
      Recording().record {
        unet(
          Variable(Tensor(random: [1, 8, 8, 4], seed: 3)), timesteps: [500],
          context: Variable(Tensor(random: [1, 5, 32], seed: 4))
        ).backpropagate()
      }
      return (probe.visited.count, probe.parameter?.gradient)
    }
    let (plain, checkpointed) = (run(checkpointing: false), run(checkpointing: true))
    #expect(plain.visits == 1)
    #expect(checkpointed.visits == 2)
    expectClose(
      try #require(checkpointed.gradient), try #require(plain.gradient), tolerance: 1e-6)
  }

  private final class Probe: LayerAdaptation {
    let trained: String
    private(set) var visited: [(path: String, needsGradient: Bool)] = []

    private(set) var parameter: Parameter?

    init(_ trained: String) { self.trained = trained }

    func output(of layer: Layer, for x: Variable) -> Variable {
      visited.append((layer.path, x.needsGradient))
      let y = layer.frozen(x)
      guard layer.path == trained else { return y }
      let row = parameter ?? Parameter(layer.path, Tensor(zeros: [layer.weightShape.rows]))
      parameter = row
      return y.addingRow(row.variable)
    }
  }
}
