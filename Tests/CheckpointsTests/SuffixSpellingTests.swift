import Adapters
import Checkpoints
import OrderedCollections
import Safetensors
import Tensors
import TestSupport
import Testing

/// The names of an adapter's tensors, as the tools spell them.
@Suite struct SuffixSpellingTests {
  /// The one module of a file.
  private func module(_ tensors: [String: EncodedTensor]) throws -> AdapterModule {
    let folder = TemporaryFolder()
    let file = try AdapterFile(opening: folder.write("a.safetensors", tensors))
    #expect(file.unrecognized == [])
    #expect(file.modules.count == 1)
    return try #require(file.modules.first)
  }

  private func f32(_ shape: Shape) -> EncodedTensor {
    EncodedTensor(Tensor(random: shape, seed: 1), as: .f32)
  }

  /// PEFT has the name of the adapter in every key, and takes it out when it saves; not all do.
  @Test(arguments: GoldenCase.names)
  func nameOfAPEFTAdapter(name: String) throws {
    let golden = try GoldenCase(name)
    var (plain, named) = ([String: EncodedTensor](), [String: EncodedTensor]())
    for (suffix, view) in golden.factors {
      plain["m.x.\(suffix)"] = view.stored
      // The two tensors that mean something only beside others are not PEFT's.
      guard suffix != "weight", suffix != "scale" else {
        named["m.x.\(suffix)"] = view.stored
        continue
      }
      let last = [".weight", ".bias"].first { suffix.hasSuffix($0) } ?? ""
      named["m.x.\(suffix.dropLast(last.count)).default\(last)"] = view.stored
    }
    let (expected, found) = (try module(plain), try module(named))
    #expect(found.name == "m.x")
    #expect(found.alpha == expected.alpha)
    #expect(found.shapes == expected.shapes)
    #expect(found.algorithm.name == golden.algorithm)
  }

  /// Adapters that have names of their own.
  @Test(arguments: ["turn2real", "adapter_0", "0", "default_1"])
  func namedAdapters(name: String) throws {
    let lora = try module([
      "m.x.lora_A.\(name).weight": f32([2, 4]), "m.x.lora_B.\(name).weight": f32([6, 2]),
      "m.x.lora_B.\(name).bias": f32([6]), "m.x.lora_magnitude_vector.\(name).weight": f32([6]),
    ])
    #expect(lora.name == "m.x" && lora.views.count == 4)
    let loha = try module(
      Dictionary(
        uniqueKeysWithValues: [
          ("hada_w1_a", [6, 2]), ("hada_w1_b", [2, 4]), ("hada_w2_a", [6, 2]),
          ("hada_w2_b", [2, 4]),
        ].map { ("m.x.\($0).\(name)", f32(Shape($1))) }))
    #expect(loha.name == "m.x" && loha.algorithm.name == "loha")
  }

  @Test(arguments: [
    "dora_scale", "lora_magnitude_vector", "lora_magnitude_vector.weight",
    "lora_magnitude_vector.default.weight", "magnitude",
  ])
  func magnitudesOfDoRA(suffix: String) throws {
    let module = try module([
      "m.lora_A.weight": f32([2, 4]), "m.lora_B.weight": f32([6, 2]), "m.\(suffix)": f32([6]),
    ])
    #expect(!module.isAdditive)
    #expect(try WeightDecomposition.axis(of: module.shapes, for: [6, 4]) == .outputs)
  }

  /// IA3 calls its tensor as every layer does.
  @Test(arguments: [
    "lora_unet_mid_block_to_k", "lycoris_mid_block_to_k", "transformer.mid_block.to_k",
    "base_model.model.mid_block.to_k", "m",
  ])
  func weightOfIA3(name: String) throws {
    let folder = TemporaryFolder()
    let file = try AdapterFile(
      opening: folder.write(
        "a.safetensors",
        [
          "\(name).weight": f32([4]),
          "\(name).on_input": EncodedTensor(Tensor(scalar: 1), as: .i64),
          "other.weight": f32([4]),
        ]))
    #expect(file.modules.map(\.name) == [name])
    #expect(file.modules.map { $0.algorithm.name } == ["ia3"])
    #expect(Set(file.modules[0].views.keys) == ["weight", "on_input"])
    #expect(file.unrecognized == ["other.weight"])
  }

  /// The web UI reads a number beside the factors in place of alpha / rank.
  @Test func fixedScale() throws {
    let module = try module([
      "m.lora_up.weight": f32([6, 2]), "m.lora_down.weight": f32([2, 4]),
      "m.alpha": EncodedTensor(Tensor(scalar: 7), as: .f32),
      "m.scale": EncodedTensor(Tensor(scalar: 0.25), as: .f32),
    ])
    #expect(try module.adapter(for: [6, 4]).factors.scale == 0.25)
    let folder = TemporaryFolder()
    let alone = try AdapterFile(
      opening: folder.write(
        "a.safetensors", ["m.diff_b": f32([6]), "n.scale": f32([]), "m.scale": f32([])]))
    #expect(Set(alone.unrecognized) == ["m.scale", "n.scale"])
  }
}
