import Checkpoints
import ModelFamilies
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@Suite struct BaseModelTests {
  @Test func refusesAnAdapter() {
    let path = Fixtures.path("lora/sd1-small/kohya.safetensors")
    let error = #expect(throws: CheckpointError.self) { try BaseModel(opening: path) }
    #expect(
      error?.description
        == "\(path): expected a checkpoint, found an adapter of 402 modules; 'lyco-merge BASE ADAPTER' puts "
        + "adapters into a checkpoint, and lyco-train goes on from one with '--network_weights'")
  }

  @Test func refusesArithmeticOnOtherFormats() throws {
    let folder = TemporaryFolder()
    let path = try folder.write(
      "base.safetensors", ["a.weight": EncodedTensor(.f8e8m0, [2, 2], [0, 1, 1, 0])])
    let base = try BaseModel(opening: path)
    let error = #expect(throws: CheckpointError.self) { try base.tensor(forKey: "a.weight") }
    #expect(
      error?.description.hasPrefix(
        "\(path): 1 weight quantized as unknown quantization in F8_E8M0, first 'a.weight'") == true)
  }

  @Test(arguments: [DType.f32, .f16, .bf16, .f64])
  func readsRowsAlone(dtype: DType) throws {
    let folder = TemporaryFolder()
    let weight = Tensor(random: [6, 3, 2], seed: 1)
    let stored =
      dtype == .f64
      ? SplitTensor(weight, minus: Tensor(zeros: [6, 3, 2])).encoded()
      : EncodedTensor(weight, as: dtype)
    let base = try BaseModel(opening: folder.write("base.safetensors", ["a.weight": stored]))
    let whole = try base.tensor(forKey: "a.weight")
    #expect(whole == (dtype == .f64 ? weight : stored.decoded()))
    #expect(try base.tensor(ParameterSlot(key: "a.weight", rows: 1..<4)) == whole.rows(1..<4))
    #expect(try base.tensor(ParameterSlot(key: "a.weight", rows: nil)) == whole)
  }

  /// The same small model as one file and as a diffusers folder: one family, one set of names.
  @Test func readsBothLayoutsAlike() throws {
    let single = try BaseModel(opening: Fixtures.path("lora/sd1-small/base.ldm.safetensors"))
    let folder = try BaseModel(opening: Fixtures.path("lora/sd1-small/base"))
    let sd1 = try #require(ModelFamily.named("sd1"))
    let names = try [single, folder].map { model in
      let read = try BaseModel(model.file, as: sd1)
      #expect(read.layout.family == sd1)
      return Set(read.layout.modules.map(\.adapterName))
    }
    #expect(names[0] == names[1])
    #expect(names[0].count > 300)
  }
}
