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

/// Text encoders in files of their own, beside a checkpoint of Flux or Stable Diffusion 3 that has none.
@Suite struct TextPartTests {
  static func file(_ name: String) -> FilePath {
    Fixtures.path("training/models/text/\(name).safetensors.zst")
  }

  static let parts = ["clip_l": file("clip_l"), "clip_g": file("clip_g"), "t5xxl": file("t5")]

  static func base(_ family: String) throws -> BaseModel {
    try BaseModel(opening: VAEDecoderTests.sixteenChannels, as: ModelFamily.named(family))
  }

  static func settings(_ parts: [String: FilePath]) -> ModelSettings {
    var settings = ModelSettings(base: VAEDecoderTests.sixteenChannels)
    settings.componentFiles = parts
    return settings
  }

  /// Both CLIP encoders: rows of the layer before the last one, and what stands for the whole, which CLIP-L has not
  /// projected.
  @Test(
    arguments: [
      ("clip_l", "te1", "pooled"), ("clip_l", "te1", "projected"), ("clip_g", "te2", "projected"),
    ], [false, true])
  func vectorsAreThoseOfTransformers(
    _ part: (option: String, component: String, whole: String), isMasked: Bool
  ) throws {
    let golden = try T5EncoderTests.golden()
    let base = try Self.base("sd3").joined(with: Self.parts)
    var configuration = CLIPTextConfiguration.sd3[part.option == "clip_l" ? 0 : 1]
    configuration.heads = .count(2)
    let model = try CLIPTextModel(
      CheckpointParameters(base), component: part.component, configuration: configuration,
      compute: .f32)
    let rows = try T5EncoderTests.rows("\(part.option).tokens", golden)
    let (states, whole) = model.encode(rows: rows, isMasked: isMasked)
    let suffix = isMasked ? ".masked" : ""
    // Without a projection what is projected is what is pooled.
    for (name, value) in [("states", states), (part.whole, whole)] {
      let expected = try #require(golden.tensors["\(part.option).\(name)\(suffix)"]).tensor()
      expectClose(value.value, expected, tolerance: 1e-5, "\(part.option).\(name)")
      print(part.option, name, suffix, "relative error", relativeError(value.value, expected))
    }
  }

  /// By whatever names: bare ones, those of a whole checkpoint, those of transformers 5, and in a folder of diffusers.
  @Test func namesOfFiles() throws {
    let folder = TemporaryFolder()
    let tensors = try TensorFile(opening: Self.file("clip_l")).contents
    func renamed(_ name: (String) -> String) -> [String: EncodedTensor] {
      Dictionary(uniqueKeysWithValues: tensors.map { (name($0.key), $0.value) })
    }
    let other = try folder.write(
      "whole.safetensors",
      renamed { "text_encoders.clip_l.transformer." + $0 }.merging(
        ["model.diffusion_model.final_layer.linear.bias": tensors.values.first!]) { $1 })
    let five = try folder.write(
      "five.safetensors", renamed { $0.replacing("text_model.", with: "") })
    let own = try folder.write("text_encoder/model.safetensors", tensors)
    let names = try Self.base("flux").joined(with: ["clip_l": Self.file("clip_l")]).layout.modules
      .map { "\($0.component)/\($0.graphPath)" }
    #expect(names.contains("te1/text_model.encoder.layers.2.mlp.fc2"))
    for path in [other, five, own, own.removingLastComponent()] {
      let base = try Self.base("flux").joined(with: ["clip_l": path])
      #expect(base.layout.modules.map { "\($0.component)/\($0.graphPath)" } == names, "\(path)")
      #expect(
        base.layout.modules.first { $0.component == "te1" && $0.path.hasSuffix("fc2") }?
          .adapterName == "lora_te1_text_model_encoder_layers_0_mlp_fc2")
    }
  }

  /// A part of its own takes the place of the checkpoint's, codes and all.
  @Test func partsReplaceThoseOfTheCheckpoint() throws {
    let first = try Self.base("flux").joined(with: ["t5xxl": Self.file("t5.scaled")])
    #expect(first.quantized.weights.count == 3 * 7)
    let second = try first.joined(with: ["t5xxl": Self.file("t5")])
    #expect(second.quantized.weights.isEmpty)
    #expect(second.layout.modules.count == first.layout.modules.count)
    let rows = try T5EncoderTests.rows("t5.tokens", T5EncoderTests.golden())
    func states(_ base: BaseModel) throws -> Tensor {
      try T5Encoder(CheckpointParameters(base), component: "te3", compute: .f32)(rows)
    }
    #expect(try states(second) == T5EncoderTests.encoder("t5")(rows))
    #expect(try states(first) == T5EncoderTests.encoder("t5.scaled")(rows))
  }

  /// Codes of 8 bits without a scale, where other layers have theirs.
  @Test func aScaleThatIsMissing() throws {
    let folder = TemporaryFolder()
    var tensors = try TensorFile(opening: Self.file("t5.scaled")).contents
    let scales = tensors.keys.filter { $0.hasSuffix("scale_weight") }.sorted()
    func refusal() throws -> String {
      let path = try folder.write("t5.safetensors", tensors)
      return message {
        try Self.base("flux").joined(with: ["t5xxl": path]).requireReadable()
      }
    }
    #expect(try refusal() == "no error" && scales.count == 21)
    tensors[scales[3]] = nil
    let key = scales[3].replacing("scale_weight", with: "weight")
    let said = try refusal()
    #expect(
      said.contains("1 weight quantized as fp8, first '") && said.contains(key)
        && said.contains("no scale that goes with it"), "\(said)")
    // Where no layer has one they count as they are.
    for scale in scales { tensors[scale] = nil }
    #expect(try refusal() == "no error")
  }

  @Test func whatIsNoPart() throws {
    let base = try Self.base("flux")
    #expect(throws: ModelLoadingError.self) {
      try base.joined(with: ["clip_g": Self.file("clip_g")])
    }
    #expect(throws: ModelLoadingError.self) {
      try base.joined(with: ["t5xxl": Self.file("clip_l")])
    }
    do {
      _ = try base.joined(with: ["clip_l": Self.file("t5")])
    } catch {
      let text = "\(error)"
      #expect(
        text.hasSuffix(
          "'--clip_l': expected a file of the CLIP-L text encoder, found the T5 text encoder"),
        "\(text)")
    }
    let vae = message {
      _ = try base.joined(with: ["clip_l": VAEDecoderTests.sixteenChannels])
    }
    #expect(
      vae.hasSuffix(
        "'--clip_l': expected a file of the CLIP-L text encoder, found the image autoencoder"),
      "\(vae)")
    let adapter = Fixtures.path("training/oracles/flux-dev/adapter_init.safetensors.zst")
    let found = message { _ = try base.joined(with: ["t5xxl": adapter]) }
    #expect(
      found
        == "\(adapter): '--t5xxl': expected a file of the T5 text encoder, found an adapter",
      "\(found)")
    let none = message { _ = try base.joined(with: ["t5xxl": "nowhere.safetensors"]) }
    #expect(none.hasPrefix("'--t5xxl': nowhere.safetensors: "), "\(none)")
    // Where it need not be there, nothing takes its place.
    let with = try base.joined(with: ["clip_l": Self.file("clip_l")])
    let without = try with.joined(with: ["clip_l": "nowhere.safetensors"], mayLack: true)
    #expect(CheckpointParameters(with).has("te1") && !CheckpointParameters(without).has("te1"))
    for path in [Self.file("clip_l"), adapter] {
      let other = message { _ = try Autoencoder(of: base, path) }
      #expect(
        other.contains("'--ae' or '--vae': expected a file of the image autoencoder, found "),
        "\(other)")
    }
    let part = TextPart("te1", of: base, Self.settings([:]))
    #expect(throws: ModelLoadingError.self) { try part.require() }
  }

  /// Heads of 64 numbers, unless a file beside the encoder says else, whose width it has.
  @Test func configurationBesideTheFile() throws {
    let folder = TemporaryFolder()
    let tensors = try TensorFile(opening: Self.file("clip_l")).contents
    let path = try folder.write("clip/model.safetensors", tensors)
    func heads() throws -> HeadRule {
      let parts = ["clip_l": path.removingLastComponent()]
      let base = try Self.base("flux").joined(with: parts)
      return try TextPart("te1", of: base, Self.settings(parts)).configuration(.sd1).heads
    }
    #expect(try heads() == .width(64))
    try folder.write(
      "clip/config.json", text: #"{"hidden_size": 12, "num_attention_heads": 2}"#)
    #expect(try heads() == .count(2))
    try folder.write(
      "clip/config.json", text: #"{"hidden_size": 3072, "num_attention_heads": 24}"#)
    #expect(try heads() == .width(64))
  }

  @Test func captionsOfT5() throws {
    let folder = TemporaryFolder()
    let fixture = try UnigramTokenizerTests.fixture()
    let tokenizer = try UnigramTokenizerTests.tokenizer("tokenizer.json", of: fixture, in: folder)
    let captions = ["a cat", "", "two dogs on a beach 🐱, " + String(repeating: "sand ", count: 40)]
    let base = try Self.base("sd3").joined(with: Self.parts)
    for isMasked in [false, true] {
      var settings = Self.settings(Self.parts)
      settings.tokenizer = folder.file("tokenizer.json")
      settings.appliesT5Mask = isMasked
      let part = TextPart("te3", of: base, settings)
      let encoder = try T5CaptionEncoder(part, length: 24, settings)
      #expect(encoder.layers.isEmpty && part.streamedBlocks.map(\.count) == [10, 9, 9])
      let rows = captions.map { tokenizer.row($0, length: 24) }
      let made = encoder.encode(captions)
      let model = try T5EncoderTests.encoder("t5")
      #expect(
        made[0].value == model(rows.map(\.tokens), counts: isMasked ? rows.map(\.count) : nil))
      #expect(made[1].shape == [3, 24])
      let counts = (0..<3).map { made[1].value.elements[$0 * 24..<$0 * 24 + 24].reduce(0, +) }
      #expect(counts == rows.map { Float($0.count) } && counts[1] == 1 && counts[2] == 24)
    }
  }

  /// Beside the encoder, in a folder beside it or in the checkpoint's, or where the option says.
  @Test func placesOfTheTokenizer() throws {
    let folder = TemporaryFolder()
    let fixture = try UnigramTokenizerTests.fixture()
    let bytes = try #require(fixture.tensors["spiece.model"]).stored.bytes
    let tensors = try TensorFile(opening: Self.file("t5")).contents
    let path = try folder.write("models/t5xxl.safetensors", tensors)
    let inFolder = try folder.write("flux/text_encoder_2/model.safetensors", tensors)
    let clip = #"{"model": {"type": "BPE"}}"#
    func write(_ name: String) throws {
      // Its folder comes with a text.
      try folder.write(name, text: "")
      try Data(bytes).write(to: URL(fileURLWithPath: folder.file(name).string))
    }
    func find(_ path: FilePath, _ option: FilePath? = nil) throws -> Int {
      var settings = Self.settings(["t5xxl": path])
      settings.tokenizer = option
      let base = try Self.base("flux").joined(with: settings.componentFiles)
      return try TextPart("te3", of: base, settings).unigramTokenizer().tokenCount
    }
    let missing = #expect(throws: ModelLoadingError.self) { try find(path) }
    #expect(
      try #require(missing).description.contains("'tokenizer_2'; give '--t5xxl_tokenizer PATH'"))
    // CLIP's lies beside it, its own farther away.
    try folder.write("models/tokenizer.json", text: clip)
    let other = #expect(throws: ModelLoadingError.self) { try find(path) }
    #expect(try #require(other).description.contains("found a model 'BPE'"))
    try write("models/tokenizer_2/spiece.model")
    #expect(try find(path) == 2100)
    try write("flux/tokenizer_2/spiece.model")
    #expect(try find(inFolder.removingLastComponent()) == 2100)
    #expect(try find(inFolder) == 2100)
    try write("else/t5.model")
    #expect(try find(path, folder.file("else/t5.model")) == 2100)
    #expect(throws: ModelLoadingError.self) { try find(path, folder.file("else")) }
    #expect(throws: ModelLoadingError.self) { try find(path, folder.file("nowhere")) }
    #expect(try find(path, folder.file("flux")) == 2100)
    // One that makes more tokens than the encoder knows.
    var small = tensors
    let table = try #require(small["shared.weight"])
    small["shared.weight"] = EncodedTensor(
      table.dtype, [2000, 24], Array(table.bytes.prefix(2000 * 24 * 2)))
    let smaller = try folder.write("models/small.safetensors", small)
    let size = #expect(throws: ModelLoadingError.self) { try find(smaller) }
    #expect(try #require(size).description.contains("2000 tokens, found one of 2100"))
    // And one that makes far fewer.
    func notice(_ rows: Int) throws -> String? {
      var large = tensors
      large["shared.weight"] = EncodedTensor(Tensor(zeros: [rows, 24]), as: .f16)
      let settings = Self.settings([
        "t5xxl": try folder.write("models/large.safetensors", large)
      ])
      return try TextPart(
        "te3", of: Self.base("flux").joined(with: settings.componentFiles), settings
      ).checkTokenizer()
    }
    #expect(try notice(2100) == nil && notice(2227) == nil)
    let said = try #require(try notice(2228))
    #expect(said.contains("tokenizer of 2100 tokens for a text encoder that knows 2228"), "\(said)")
  }

  /// What is kept of captions depends on the tokenizer.
  @Test func keptTextKnowsTheTokenizer() throws {
    let folder = TemporaryFolder()
    let path = Fixtures.path("training/oracles/flux-dev/model.safetensors.zst")
    var settings = Self.settings(Self.parts)
    settings.base = path
    func identities() throws -> [String?] {
      var flux = settings
      flux.componentFiles["clip_g"] = nil
      let base = try BaseModel(opening: path, as: .named("flux"))
      return [
        try FluxPipeline.textLayout(of: base.joined(with: flux.componentFiles), flux)?.identity,
        try StableDiffusion3Pipeline.textLayout(
          of: Self.base("sd3").joined(with: settings.componentFiles), settings)?.identity,
      ]
    }
    #expect(try identities() == [nil, nil])
    _ = try UnigramTokenizerTests.tokenizer(
      "tokenizer.json", of: UnigramTokenizerTests.fixture(), in: folder)
    settings.tokenizer = folder.file("tokenizer.json")
    let first = try identities()
    #expect(try first.allSatisfy { $0 != nil } && first == identities())
    // Another score of a piece.
    let text = String(
      decoding: try contents(of: folder.file("tokenizer.json")), as: UTF8.self)
    let score = try #require(text.firstRange(of: ",-3."))
    try folder.write(
      "tokenizer.json", text: text.replacingCharacters(in: score, with: ",-2."))
    for (one, other) in zip(first, try identities()) { #expect(other != nil && one != other) }
  }

  /// What a plan knows of it: CLIP may be adapted, T5 is read by blocks, and so much is kept of a caption.
  @Test func outlineOfFlux() throws {
    let path = Fixtures.path("training/oracles/flux-dev/model.safetensors.zst")
    var settings = Self.settings(["clip_l": Self.file("clip_l"), "t5xxl": Self.file("t5")])
    settings.base = path
    settings.t5MaxTokenLength = 20
    let base = try BaseModel(opening: path, as: .named("flux"))
      .joined(with: settings.componentFiles)
    let missing = #expect(throws: ModelLoadingError.self) {
      try FluxPipeline.outline(of: base, settings)
    }
    #expect(try #require(missing).description.contains("'--t5xxl_tokenizer PATH'"))
    let folder = TemporaryFolder()
    _ = try UnigramTokenizerTests.tokenizer(
      "spiece.model", of: UnigramTokenizerTests.fixture(), in: folder)
    settings.tokenizer = folder.path
    let outline = try FluxPipeline.outline(of: base, settings)
    #expect(Set(outline.modules.map(\.component)) == ["unet", "te1"])
    #expect(outline.streamedText.map(\.count) == [10, 9, 9] && outline.tokens == 20)
    #expect(outline.captionBytes == 4 * (12 + 20 * 24 + 20) && outline.autoencoder == nil)
    settings.vae = VAEDecoderTests.sixteenChannels
    let whole = try FluxPipeline.outline(of: base, settings)
    #expect(try whole.hasDecoder && #require(whole.autoencoder).encoderCount > 0)
    #expect(whole.latents == base.layout.family.latents)
    let decoder = try #require(try FluxPipeline.decoder(of: base, settings))
    #expect(try decoder.decode(Tensor(zeros: [1, 2, 3, 16])).shape == [1, 16, 24, 3])
    // That of Stable Diffusion 1, with four channels.
    settings.vae = Fixtures.path("training/tiny/vae")
    let foreign = #expect(throws: ModelLoadingError.self) {
      try FluxPipeline.outline(of: base, settings)
    }
    #expect(try #require(foreign).description.contains("autoencoder of 16 channels"))
    settings.vae = VAEDecoderTests.sixteenChannels
    // A T5 whose vectors are others.
    var wider = try TensorFile(opening: Self.file("t5")).contents
    let norm = try #require(wider["encoder.final_layer_norm.weight"])
    wider["encoder.final_layer_norm.weight"] = EncodedTensor(
      norm.dtype, [48], norm.bytes + norm.bytes)
    settings.componentFiles["t5xxl"] = try folder.write("wider.safetensors", wider)
    let other = try BaseModel(opening: path, as: .named("flux"))
      .joined(with: settings.componentFiles)
    let width = #expect(throws: ModelLoadingError.self) {
      try FluxPipeline.outline(of: other, settings)
    }
    #expect(try #require(width).description.contains("have 24 numbers"))
  }
}

/// What an error says, or that there is none.
private func message(_ body: () throws -> Void) -> String {
  do {
    try body()
    return "no error"
  } catch { return "\(error)" }
}
