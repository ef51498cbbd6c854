import Autograd
import DiffusionModels
import ModelFamilies
import OrderedCollections
import Safetensors
import Tensors
import TestSupport
import Testing

@testable import Pipelines

/// Against diffusers, transformers and sd-scripts, in double precision. f32 sums in another order leave about 1e-6.
@Suite struct StableDiffusionXLTests {
  private let pipeline = TinyPipeline("tiny-sdxl")
  private let golden: TensorFile
  private let model: StableDiffusionModel

  init() throws {
    golden = try pipeline.golden()
    model = try StableDiffusionModel(opening: pipeline.folder)
  }

  private func value(_ name: String) throws -> Tensor {
    try #require(golden.tensors[name], "\(name)").tensor()
  }

  private func integers(_ name: String) throws -> [Int] {
    let view = try #require(golden.tensors[name], "\(name)")
    return view.stored.bytes.withUnsafeBytes { bytes in
      stride(from: 0, to: bytes.count, by: 8).map {
        Int(bytes.loadUnaligned(fromByteOffset: $0, as: Int64.self))
      }
    }
  }

  @Test(arguments: [false, true])
  func outputAndGradientsAreThoseOfDiffusers(checkpointing: Bool) throws {
    model.unet.checkpointsBlocks = checkpointing
    let inputs = try ["latents", "context", "vector"].map {
      Parameter($0, try value("unet.\($0)"))
    }
    let seed = try value("unet.seed")
    let output = Recording().record {
      let output = model.unet(
        inputs[0].variable, timesteps: [17, 801], context: inputs[1].variable,
        vector: inputs[2].variable)
      output.backpropagate(seed)
      return output.value
    }
    expectClose(output, try value("unet.output"), tolerance: 1e-5, "output")
    var errors = [relativeError(output, try value("unet.output"))]
    for input in inputs {
      let gradient = try #require(input.gradient)
      let expected = try value("unet.\(input.name).gradient")
      expectClose(gradient, expected, tolerance: 1e-4, input.name)
      errors.append(relativeError(gradient, expected))
    }
    print("tiny-sdxl: relative errors of output and gradients", errors)
  }

  /// Frequencies are rounded to f32 there as here, but for their last bit, which a phase of 1000 makes 3e-5.
  @Test func sizesAreThoseOfSDScripts() throws {
    let (original, crop, target) = (
      try integers("sizes.original"), try integers("sizes.crop"), try integers("sizes.target")
    )
    let sizes = (0...1).map { i in
      PictureSize(
        originalHeight: original[2 * i], originalWidth: original[2 * i + 1], height: target[2 * i],
        width: target[2 * i + 1], cropTop: crop[2 * i], cropLeft: crop[2 * i + 1])
    }
    expectClose(
      StableDiffusionXLPipeline.vectors(of: sizes), try value("sizes.embedded"), tolerance: 5e-6)
  }

  /// Captions of one, two and three rows, as sd-scripts joins and pools them.
  @Test(arguments: [75, 150, 225]) func textIsThatOfSDScripts(length: Int) throws {
    let rows = try ["te1", "te2"].map { encoder in
      let tokens = try integers("\(encoder).tokens_\(length)")
      let width = length / 75 * 77
      return (0..<3).map { caption in
        stride(from: caption * width, to: (caption + 1) * width, by: 77).map {
          Array(tokens[$0..<$0 + 77])
        }
      }
    }
    let first = model.textEncoders[0].encodePenultimate(rows[0])
    let (second, pooled) = model.textEncoders[1].encodeWithPooled(rows[1], end: 119)
    for (found, name) in [
      (first, "te1.states"), (second, "te2.states"), (pooled, "te2.pooled"),
    ] {
      let expected = try value("\(name)_\(length)")
      expectClose(found.value, expected, tolerance: 1e-5, name)
      print(name, length, "relative error", relativeError(found.value, expected))
    }
  }

  /// NoobAI's marks in a single file, and the word of its metadata.
  @Test func aFileSaysWhatItPredicts() throws {
    let folder = TemporaryFolder()
    let path = try pipeline.writeSingleFile(in: folder)
    func outline(
      _ marks: [String], _ metadata: [String: String] = [:]
    ) throws -> StableDiffusionConfiguration {
      var tensors: [String: EncodedTensor] = [:]
      for (key, view) in try TensorFile(opening: path).tensors { tensors[key] = view.stored }
      for mark in marks { tensors[mark] = EncodedTensor(Tensor([1], [1]), as: .f32) }
      let marked = try folder.write("marked.safetensors", tensors, metadata: metadata)
      let base = try ModelPipelines.open(marked, as: .named("sdxl")).base
      return try StableDiffusionConfiguration(of: base)
    }
    #expect(try outline([]).predictsVelocity == nil)
    let noob = try outline(["v_pred", "ztsnr"])
    #expect(noob.predictsVelocity == true && noob.hasZeroTerminalSNR)
    #expect(try !outline(["v_pred"]).hasZeroTerminalSNR)
    #expect(try outline([], ["modelspec.prediction_type": "v"]).predictsVelocity == true)
    #expect(try outline([], ["modelspec.prediction_type": "epsilon"]).predictsVelocity == false)
  }
}
