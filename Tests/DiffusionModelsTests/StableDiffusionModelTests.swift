import Autograd
import Checkpoints
import DiffusionModels
import Foundation
import ModelFamilies
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Pipelines

/// Checkpoints opened as models: layouts, families, and what is wrong with them.
@Suite struct StableDiffusionModelTests {
  /// A single file has no `config.json`, and tiny models have other numbers of heads and groups than
  /// their families, so these are given.
  @Test(arguments: ["tiny-sd1", "tiny-sd2", "tiny-sdxl"])
  func singleFileAndFolderAreTheSameModel(name: String) throws {
    let pipeline = TinyPipeline(name)
    let folder = TemporaryFolder()
    let whole = try StableDiffusionModel(opening: pipeline.folder)
    var configuration = whole.configuration
    for index in configuration.texts.indices { configuration.texts[index].layerCount = nil }
    let single = try StableDiffusionModel(
      opening: try pipeline.writeSingleFile(in: folder), configuration: configuration)
    #expect(single.family.name == String(name.dropFirst("tiny-".count)))
    #expect(single.family == whole.family)
    let layers = (whole.layers, single.layers)
    #expect(layers.0.map(\.path) == layers.1.map(\.path))
    for (a, b) in zip(layers.0, layers.1) {
      #expect(a.weightShape == b.weightShape, "\(a.path)")
      #expect(a.weightValue.elements == b.weightValue.elements, "\(a.path)")
      #expect(a.bias == b.bias, "\(a.path)")
    }
    let tokens = [[Int](repeating: 7, count: 77)]
    #expect(whole.textEncoders[0](tokens).value == single.textEncoders[0](tokens).value)
    let images = Tensor(random: [1, 16, 16, 3], seed: 1)
    let encoder = try #require(try Autoencoder(of: single.base, nil, configuration.vae))
    #expect(
      try #require(try whole.encoder()).encode(images).mean
        == encoder.encoder(compute: .f32).encode(images).mean)
  }

  /// Weights that another model lends are those that count, and are not read; an adaptation is each layer's own.
  @Test func lentLayersAreNotRead() throws {
    let folder = TemporaryFolder()
    let pipeline = TinyPipeline("tiny-sd1")
    let first = try StableDiffusionModel(opening: pipeline.folder)
    let other = try pipeline.writeFolder(in: folder) { name, tensor in
      let zeros = [UInt8](repeating: 0, count: tensor.bytes.count)
      return (name, EncodedTensor(tensor.dtype, tensor.shape, zeros))
    }
    let lent = first.unet.layers.filter { $0.path.hasPrefix("mid_block") }
    let second = try LentLayers(lent).lending { try StableDiffusionModel(opening: other) }
    #expect(!lent.isEmpty)
    for (a, b) in zip(first.unet.layers, second.unet.layers) {
      #expect(a.path == b.path && a !== b)
      let isLent = a.path.hasPrefix("mid_block")
      #expect((a.weightValue == b.weightValue) == isLent, "\(a.path)")
      if !isLent { #expect(b.weightValue.elements.allSatisfy { $0 == 0 }, "\(b.path)") }
    }
    let after = try StableDiffusionModel(opening: other)
    #expect(after.unet.layers.allSatisfy { $0.weightValue.elements.allSatisfy { $0 == 0 } })
  }

  /// A module is the same in two checkpoints where weight and bias are.
  @Test(arguments: ["weight", "bias"]) func equalModulesAreFound(parameter: String) throws {
    let folder = TemporaryFolder()
    let pipeline = TinyPipeline("tiny-sd1")
    let key = "mid_block.attentions.0.proj_in"
    let path = try pipeline.writeFolder(in: folder) { name, tensor in
      guard name == "unet/\(key).\(parameter)" else { return (name, tensor) }
      var bytes = tensor.bytes
      bytes[bytes.count - 1] ^= 1
      return (name, EncodedTensor(tensor.dtype, tensor.shape, bytes))
    }
    let base = try BaseModel(opening: pipeline.folder, as: .named("sd1"))
    let equal = try EqualModules(
      of: base, ModelSettings(base: pipeline.folder),
      and: BaseModel(opening: path, as: .named("sd1")))
    #expect(equal.areTextsEqual)
    for module in base.layout.modules where module.role != .autoencoder {
      #expect(equal.contains(module) == (module.path != key), "\(module.path)")
    }
  }

  /// Without an autoencoder latents have the channels of the UNet.
  @Test func channelsOfLatentsWithoutAnAutoencoder() throws {
    let folder = TemporaryFolder()
    let path = try TinyPipeline("tiny-sd1").writeFolder(in: folder) { name, tensor in
      guard !name.hasPrefix("vae/") else { return nil }
      let values = tensor.decoded()
      switch name {
      case "unet/conv_out.weight", "unet/conv_out.bias":
        return (name, EncodedTensor(values.rows(0..<2), as: tensor.dtype))
      case "unet/conv_in.weight":
        let kept = values.shape.rows
        let (own, width) = (values.count / kept, values.count / kept / 2)
        let elements = (0..<kept).flatMap { values.elements[$0 * own..<$0 * own + width] }
        return (name, EncodedTensor(Tensor([kept, 2, 3, 3], elements), as: tensor.dtype))
      default: return (name, tensor)
      }
    }
    let base = try BaseModel(opening: path, as: .named("sd1"))
    var settings = ModelSettings(base: path)
    settings.textIsKept = true
    let outline = try StableDiffusionPipeline.outline(of: base, settings)
    #expect(outline.latents.channels == 2 && outline.autoencoder == nil)
  }

  @Test(arguments: ["tiny-sd1", "tiny-sd2", "tiny-sdxl"])
  func everyModuleHasItsLayer(name: String) throws {
    let model = try StableDiffusionModel(opening: TinyPipeline(name).folder)
    let layers = Dictionary(
      uniqueKeysWithValues: model.layers.map { ("\($0.component)/\($0.path)", $0) })
    #expect(layers.count == model.layers.count)
    for module in model.base.layout.modules
    where module.component != "vae" && module.kind != .embedding {
      let layer = try #require(layers["\(module.component)/\(module.path)"], "\(module.path)")
      #expect(layer.weightShape == module.shape)
      #expect((layer.bias != nil) == (module.bias != nil))
    }
    #expect(model.modules.count == model.layers.count)
  }

  /// transformers 5 leaves `text_model.` out, diffusers before 0.18 had other names in the autoencoder.
  @Test(arguments: ["tiny-sd1", "tiny-sd2", "tiny-sdxl"])
  func otherSpellingsOfAFolder(name: String) throws {
    let pipeline = TinyPipeline(name)
    let folder = TemporaryFolder()
    let before = [
      ".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn.",
    ]
    let path = try pipeline.writeFolder(in: folder) { key, tensor in
      guard key.hasPrefix("vae/") else {
        return (key.replacing("text_encoder/text_model.", with: "text_encoder/"), tensor)
      }
      return (before.reduce(key) { $0.replacing($1.key, with: $1.value) }, tensor)
    }
    let (a, b) = (
      try StableDiffusionModel(opening: pipeline.folder), try StableDiffusionModel(opening: path)
    )
    #expect(a.layers.map(\.path) == b.layers.map(\.path))
    let tokens = [[Int](repeating: 7, count: 77)]
    #expect(a.textEncoders[0](tokens).value == b.textEncoders[0](tokens).value)
    let images = Tensor(random: [1, 16, 16, 3], seed: 1)
    #expect(
      try #require(try a.encoder()).encode(images).mean
        == #require(try b.encoder()).encode(images).mean)
  }

  @Test func anAutoencoderOfItsOwn() throws {
    let folder = TemporaryFolder()
    let pipeline = TinyPipeline("tiny-sd1")
    let path = try pipeline.writeFolder(in: folder) { $0.hasPrefix("vae/") ? nil : ($0, $1) }
    #expect(try StableDiffusionModel(opening: path).encoder() == nil)
    let vae = TinyPipeline("tiny-sd2").folder.appending("vae")
    let model = try StableDiffusionModel(opening: path)
    let images = Tensor(random: [1, 16, 16, 3], seed: 1)
    let other = try StableDiffusionModel(opening: TinyPipeline("tiny-sd2").folder)
    #expect(
      try #require(try model.encoder(vae)).encode(images).mean
        == #require(try other.encoder()).encode(images).mean)
  }

  @Test func configurationsAreRead() throws {
    let sd1 = try StableDiffusionModel(opening: TinyPipeline("tiny-sd1").folder).configuration
    #expect(sd1.unet == UNetConfiguration(heads: .count(4), groups: 8))
    #expect(sd1.texts == [.init(heads: .count(4), activation: .quickGELU, layerCount: 3)])
    #expect(sd1.vae == VAEConfiguration(groups: 4))
    #expect(sd1.predictsVelocity == false)
    let sd2 = try StableDiffusionModel(opening: TinyPipeline("tiny-sd2").folder).configuration
    #expect(sd2.unet == UNetConfiguration(heads: .counts([1, 2, 2, 4]), groups: 4))
    #expect(sd2.texts[0].activation == .gelu)
    #expect(sd2.predictsVelocity == true)
  }

  @Test(arguments: [
    ("{", "config.json: expected a JSON object"),
    (#"{"norm_num_groups": "many"}"#, "'norm_num_groups': expected a positive whole number"),
    (#"{"norm_num_groups": 5}"#, "has width 8, which 5 groups do not divide"),
    (#"{"attention_head_dim": 3, "norm_num_groups": 4}"#, "which 3 heads do not divide"),
    (#"{"act_fn": "mish"}"#, "'act_fn': expected silu or swish, found 'mish'"),
  ])
  func wrongConfigurationsAreRefused(text: String, message: String) throws {
    let folder = TemporaryFolder()
    let path = try TinyPipeline("tiny-sd2").writeFolder(in: folder) { ($0, $1) }
    try folder.write("tiny-sd2/unet/config.json", text: text)
    do {
      _ = try StableDiffusionModel(opening: path)
      Issue.record("opened")
    } catch {
      #expect("\(error)".contains(message), "\(error)")
    }
  }

  /// As distilled models have it.
  @Test func aModelWithoutMiddle() throws {
    let folder = TemporaryFolder()
    let path = try TinyPipeline("tiny-sd2").writeFolder(in: folder) {
      $0.hasPrefix("unet/mid_block.") ? nil : ($0, $1)
    }
    let unet = try StableDiffusionModel(opening: path).unet
    #expect(!unet.layers.contains { $0.path.hasPrefix("mid_block") })
    let output = unet(
      Variable(Tensor(random: [1, 8, 8, 4], seed: 3)), timesteps: [500],
      context: Variable(Tensor(random: [1, 5, 32], seed: 4)))
    #expect(output.shape == [1, 8, 8, 4])
  }

  /// What lies beside a single file counts where it is its UNet's; where it cannot be read, that is said.
  @Test func aDamagedConfigurationBesideAFileIsSaid() throws {
    let folder = TemporaryFolder()
    let base = try BaseModel(
      opening: TinyPipeline("tiny-sd1").writeSingleFile(in: folder), as: .named("sd1"))
    func notices() -> [String] { StableDiffusionConfiguration.notices(on: base) }
    #expect(notices() == [])
    try folder.write("config.json", text: #"{"of": "another program"}"#)
    #expect(notices() == [])
    try folder.write("config.json", text: "{")
    #expect(
      notices() == [
        "\(folder.file("config.json")): expected a JSON object; it is passed over, and what the family has in common "
          + "counts"
      ])
  }

  /// The autoencoder that SDXL shares with Stable Diffusion 1 does not make a tiny one that; names do.
  @Test func aTinyXLIsNotTakenForAnother() throws {
    let folder = TemporaryFolder()
    let path = try TinyPipeline("tiny-sdxl").writeSingleFile(in: folder)
    let base = try BaseModel(opening: path)
    #expect(base.layout.family == .generic)
    #expect(
      base.layout.evidence.contains {
        $0 == "not sd1: nothing but its vae, which other models may have too"
      }, "\(base.layout.evidence)")
    let names = try BaseModel(opening: path, as: .named("sdxl")).layout.modules
      .filter { $0.component == "unet" && $0.path.contains("attn2") }
      .map { NamedModule($0.adapterName) }
    #expect(
      base.misfit(ofModules: names, metadata: [:])?.hasSuffix("'--family sdxl' reads it as that")
        == true, "\(base.misfit(ofModules: names, metadata: [:]) ?? "")")
  }

  @Test func whatIsWrongIsSaid() throws {
    let folder = TemporaryFolder()
    let pipeline = TinyPipeline("tiny-sd1")
    func message(_ path: FilePath, as family: String? = nil) -> String {
      do {
        _ = try StableDiffusionModel(opening: path, family: family.flatMap { .named($0) })
        return "opened"
      } catch { return "\(error)" }
    }
    func without(_ part: String, _ name: String) throws -> FilePath {
      let inner = TemporaryFolder()
      let path = try pipeline.writeFolder(in: inner) { $0.hasPrefix(part) ? nil : ($0, $1) }
      let target = folder.file(name)
      try FileManager.default.copyItem(atPath: path.string, toPath: target.string)
      return target
    }
    #expect(
      try message(without("text_encoder/", "a")).contains("no text encoder in the checkpoint"))
    #expect(try message(without("unet/", "b")).contains("no model of that structure"))
    let lost = "up_blocks.1.resnets.2.conv2.weight"
    #expect(
      try message(without("unet/" + lost, "c")).contains(
        "no tensor '\(lost)', which the model needs"))
    #expect(
      try message(without("unet/down_blocks.1.resnets.1.conv1", "d"))
        .contains("no tensor 'down_blocks.1.resnets.1.conv1.weight'"))
    let flux = try SparseCheckpoint.write("flux1.native", in: folder)
    let trained =
      "adapters are trained here for Stable Diffusion 1.x, Stable Diffusion 2.x, Stable Diffusion XL"
    #expect(message(flux).contains(trained))
    #expect(message(flux, as: "flux").contains(trained))
    #expect(!message(flux, as: "sd1").contains("opened"))
    let adapter = Fixtures.path("inspect/locon.safetensors")
    #expect(message(adapter).contains("found an adapter of"))
  }

  @Test func aSmallVocabularyIsRefusedForCaptions() throws {
    let model = try StableDiffusionModel(opening: TinyPipeline("tiny-sd1").folder)
    #expect(throws: ModelLoadingError.self) {
      try StableDiffusionPipeline.outline(of: model.base, ModelSettings(base: model.base.file.path))
    }
  }
}

extension StableDiffusionModel {
  /// The encoder of pictures that is trained with.
  func encoder(_ vae: FilePath? = nil) throws -> VAEEncoder? {
    try Autoencoder(of: base, vae)?.encoder(compute: .f32)
  }
}
