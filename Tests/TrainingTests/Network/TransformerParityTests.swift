import Autograd
import Checkpoints
import Foundation
import LinearAlgebra
import ModelFamilies
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import DiffusionModels
@testable import Pipelines
@testable import Training

/// Tiny transformers against diffusers, and adapters in them against LyCORIS, both in double precision:
/// output, loss, every gradient, and every parameter after ten steps of AdamW. See
/// scripts/fixtures/training/make-transformer-fixtures.py. Sums of f32 leave some 1e-6.
struct TransformerParityTests {
  struct Golden: Decodable {
    let rate: Float
    let decay: Float
    let cases: [Case]
  }

  struct Case: Decodable, Sendable {
    let name: String
    let rank: Int
    let losses: [Double]
    let layers: [String]
    let arguments: [String]
  }

  enum Transformer: String, CaseIterable {
    case wan = "wan-t2v"
    case wanWithPicture = "wan-i2v"
    case hunyuanVideo = "hunyuan-video"
    case qwenImage = "qwen-image"
    case qwenImageEdit = "qwen-image-edit-2511"
    case flux
    case fluxSchnell = "flux-schnell"
    case stableDiffusion3 = "sd3-medium"
    case stableDiffusion35 = "sd35-medium"

    var family: ModelFamily {
      let name =
        switch self {
        case .wan, .wanWithPicture: "wan"
        case .hunyuanVideo: "hunyuan-video"
        case .qwenImage, .qwenImageEdit: "qwen-image"
        case .flux, .fluxSchnell: "flux"
        case .stableDiffusion3, .stableDiffusion35: "sd3"
        }
      return .named(name)!
    }

    var file: TensorFile {
      get throws {
        try TensorFile(
          opening: Fixtures.path("training/transformers/\(rawValue).golden.safetensors.zst"))
      }
    }

    var golden: Golden {
      let path = Fixtures.path("training/transformers/\(rawValue).golden.json").string
      return try! JSONDecoder().decode(Golden.self, from: Data(contentsOf: URL(filePath: path)))
    }

    /// In diffusers' layout.
    var folder: FilePath { Fixtures.path("training/transformers/\(rawValue)") }

    /// With the same weights by the names of the model's own code, where these are others.
    var files: [FilePath] { family.name == "qwen-image" ? [folder] : [folder, native] }

    /// The same weights by the names of the model's own code, in one file.
    var native: FilePath {
      Fixtures.path("training/transformers/\(rawValue).native.safetensors.zst")
    }

    func base(_ path: FilePath) throws -> BaseModel {
      try BaseModel(TensorFile(opening: path), as: family)
    }
  }

  struct Training: CustomTestStringConvertible, Sendable {
    let transformer: Transformer
    let test: Case
    var testDescription: String { "\(transformer.rawValue), \(test.name)" }

    static let all = Transformer.allCases.flatMap { transformer in
      transformer.golden.cases.map { Training(transformer: transformer, test: $0) }
    }
  }

  /// A transformer with what it is told of the items.
  private struct Model {
    let layers: [Layer]
    /// Of noisy latents.
    let predict: (Variable) -> Variable
  }

  /// Several frames of two items with captions of different length, and one frame of another.
  @Test(arguments: Transformer.allCases) func givesWhatDiffusersGives(
    _ transformer: Transformer
  ) throws {
    let file = try transformer.file
    for path in transformer.files {
      let base = try transformer.base(path)
      for part in ["", "single."] {
        let latents = try #require(file.tensors[part + "latents"]).tensor()
        let expected = try #require(file.tensors[part + "output"]).tensor()
        let output = try Self.model(transformer, base, file, part).predict(Variable(latents))
        let error = relativeError(output.value, expected)
        print(transformer.rawValue, path.lastComponent!, latents.shape, error)
        #expect(error <= 1e-5)
      }
    }
  }

  @Test(arguments: Training.all) func sameAsLyCORIS(_ training: Training) throws {
    let (transformer, test) = (training.transformer, training.test)
    let (file, golden) = (try transformer.file, transformer.golden)
    func stored(_ key: String) throws -> Tensor {
      try #require(file.tensors[key], "\(key)").tensor()
    }
    let base = try transformer.base(transformer.folder)
    let model = try Self.model(transformer, base, file, "")
    let network = try Self.network(test, base, model.layers)
    #expect(Set(network.modules.map(\.plan.module.path)) == Set(test.layers))
    let parameters = network.modules.flatMap { module in
      module.factors.all.map { factor in
        let suffix = factor.name.dropFirst(module.plan.name.utf8.count)
        return (parameter: factor, key: "\(module.plan.module.path)\(suffix)")
      }
    }
    #expect(
      Set(parameters.map { "\(test.name)/start.\($0.key)" })
        == Set(file.tensors.keys.filter { $0.hasPrefix("\(test.name)/start.") }))
    for (parameter, key) in parameters {
      parameter.value = try stored("\(test.name)/start.\(key)").reshaped(parameter.value.shape)
    }
    let (latents, flow) = (try stored("latents"), try stored("flow"))
    var optimizer = AdamW(rate: golden.rate, decay: golden.decay)
    var worst: (loss: Double, gradient: Double, end: Double) = (0, 0, 0)
    var worstName = ""
    for (step, expected) in test.losses.enumerated() {
      let loss: Double = Recording().record {
        let output = model.predict(Variable(latents))
        let difference = output.value.adding(flow, times: -1)
        output.backpropagate(difference * (2 / Float(difference.count)))
        return difference.sumOfSquares / Double(difference.count)
      }
      worst.loss = max(worst.loss, abs(loss - expected) / expected)
      if step == 0 {
        for (parameter, key) in parameters {
          let gradient = try #require(parameter.gradient, "\(key)")
          let error = gradient.relativeError(to: try stored("\(test.name)/gradient.\(key)"))
          if error > worst.gradient { (worst.gradient, worstName) = (error, key) }
        }
      }
      optimizer.step(parameters.map(\.parameter))
    }
    for (parameter, key) in parameters {
      worst.end = max(
        worst.end, parameter.value.relativeError(to: try stored("\(test.name)/end.\(key)")))
    }
    print(training.testDescription, worst, worstName)
    #expect(worst.loss <= 1e-5)
    #expect(worst.gradient <= 1e-4, "\(worstName)")
    #expect(worst.end <= 1e-4)
  }

  /// `train_norm` takes every norm that has a weight. LyCORIS takes root mean square norms too if their class has
  /// `_norm`, as those of musubi-tuner's models have; of a norm without a weight it makes a module that cannot run.
  @Test func trainsNormsThatHaveWeights() throws {
    let base = try Transformer.wan.base(Transformer.wan.native)
    var flags = NetworkSettings.Flags()
    flags.module = "lycoris.kohya"
    let settings = try NetworkSettings(
      flags, NetworkArguments(parsing: ["train_norm=True", "preset=attn-mlp"]))
    let plan = try NetworkPlan(
      modules: base.layout.modules, family: base.layout.family, settings: settings)
    let norms = plan.modules.filter { $0.module.kind == .norm }.map(\.module.path)
    let names = [
      "self_attn.norm_q", "self_attn.norm_k", "norm3", "cross_attn.norm_q", "cross_attn.norm_k",
    ]
    #expect(Set(norms) == Set((0...1).flatMap { block in names.map { "blocks.\(block).\($0)" } }))
    #expect(norms.count == 10 && plan.modules.count == 10 + 20)
  }

  /// - Parameter part: before the names of the inputs.
  private static func model(
    _ transformer: Transformer, _ base: BaseModel, _ file: TensorFile, _ part: String
  ) throws -> Model {
    let inputs = Dictionary(
      uniqueKeysWithValues: file.tensors.filter { $0.key.hasPrefix(part) }.map {
        (String($0.key.dropFirst(part.count)), $0.value)
      })
    let times = try #require(inputs["times"]).tensor().elements
    if transformer.family.name == "sd3" { return try picture(base, inputs, at: times) }
    let items = try times.indices.map { index in
      let text = try #require(inputs["text.\(index)"]).tensor()
      func own(_ name: String) -> Tensor? {
        inputs[name].map { view in
          let inner = Shape(Array(view.shape.dimensions.dropFirst()))
          return view.tensor().rows(index..<index + 1).reshaped(inner)
        }
      }
      if transformer.family.name == "qwen-image" {
        var item = ["vl_embed": text]
        for number in 0...1 { item["latents_control_\(number)"] = own("control.\(number)") }
        return item
      }
      if transformer.family.name == "flux" {
        var item = ["t5_vec": text, "clip_l_pooler": try #require(own("caption"))]
        item["latents_control"] = own("control")
        return item
      }
      guard transformer == .hunyuanVideo else {
        var item = ["t5": text]
        item["latents_image"] = own("known")
        item["clip"] = own("clip")
        return item
      }
      // Rows behind the caption, which nothing may see.
      let rows = text.shape.rows
      var filled = Tensor(
        [rows + 2, text.shape.columns], Array(repeating: 9, count: (rows + 2) * text.shape.columns))
      filled.replaceRows(from: 0, with: text)
      let mask = Tensor([rows + 2], (0..<rows + 2).map { $0 < rows ? 1 : 0 })
      return ["llm": filled, "llm_mask": mask, "clipL": try #require(own("caption"))]
    }
    var settings = ModelSettings(base: base.file.path)
    if transformer.family.name == "qwen-image" {
      settings.variant = transformer == .qwenImageEdit ? "edit-2511" : nil
      let pipeline = try QwenImagePipeline(base, settings, checkpointsBlocks: false)
      let condition = pipeline.condition(kept: items, [])
      return Model(layers: pipeline.layers) { pipeline.predict($0, at: times, condition) }
    }
    if transformer.family.name == "flux" {
      let pipeline = try FluxPipeline(base, settings, checkpointsBlocks: false)
      let condition = pipeline.condition(kept: items, [])
      return Model(layers: pipeline.layers) { pipeline.predict($0, at: times, condition) }
    }
    if transformer == .hunyuanVideo {
      let pipeline = try HunyuanVideoPipeline(base, settings, checkpointsBlocks: false)
      let condition = pipeline.condition(kept: items, [])
      return Model(layers: pipeline.layers) { pipeline.predict($0, at: times, condition) }
    }
    if base.file.path == transformer.folder {
      let pipeline = try WanPipeline(base, settings, checkpointsBlocks: false)
      let condition = pipeline.condition(kept: items, [])
      return Model(layers: pipeline.layers) { pipeline.predict($0, at: times, condition) }
    }
    // One file does not say how many heads there are.
    var configuration = WanConfiguration()
    configuration.heads = .count(2)
    let wan = try WanTransformer(CheckpointParameters(base), configuration: configuration)
    let known = items.stacked("latents_image").map { Variable($0) }
    let picture = items.stacked("clip").map { Variable($0) }
    let text = Variable(Tensor.stacked(items.map { $0.array("t5").rows(filledTo: 512) }))
    return Model(layers: wan.layers) { noisy in
      wan(
        known.map { noisy.appendingChannels($0) } ?? noisy, at: times, text: text, picture: picture)
    }
  }

  /// Stable Diffusion 3, with what its text encoders made of captions.
  private static func picture(
    _ base: BaseModel, _ inputs: [String: TensorView], at times: [Float]
  ) throws -> Model {
    var configuration = StableDiffusion3Configuration()
    configuration.scalesFirst = base.layout.modules.contains { $0.path == "norm_out.linear" }
    // One file of a model without norms does not say how many heads there are.
    configuration.heads = .count(2)
    let model = try StableDiffusion3Transformer(
      CheckpointParameters(base), configuration: configuration)
    let (clip, t5, pooled) = (
      Variable(try #require(inputs["clip"]).tensor()),
      Variable(try #require(inputs["t5"]).tensor()),
      Variable(try #require(inputs["pooled"]).tensor())
    )
    let condition = StableDiffusion3Pipeline.Condition(
      clip: clip, t5: t5, pooled: pooled, columns: model.textWidth)
    return Model(layers: model.layers) {
      model($0, at: times, text: condition.text, pooled: condition.pooled)
    }
  }

  private static func network(
    _ test: Case, _ base: BaseModel, _ layers: [Layer]
  ) throws -> AdapterNetwork {
    let folder = TemporaryFolder()
    let path = folder.file("preset.toml")
    let names = test.layers.map { "'\($0.replacingOccurrences(of: ".", with: #"\."#))$'" }
    try "unet_target_name = [\(names.joined(separator: ", "))]"
      .write(toFile: path.string, atomically: true, encoding: .utf8)
    var flags = NetworkSettings.Flags()
    flags.module = "lycoris.kohya"
    flags.rank = test.rank
    flags.alpha = 1
    let settings = try NetworkSettings(
      flags, NetworkArguments(parsing: test.arguments + ["preset=\(path.string)"]))
    let plan = try NetworkPlan(
      modules: base.layout.modules, family: base.layout.family, settings: settings)
    return try AdapterNetwork(plan, layers: layers, seed: 1)
  }
}
