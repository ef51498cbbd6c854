import Adapters
import Checkpoints
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// What other packages do: find the layers of an adapter in a checkpoint, and apply it to their weights.
@Suite struct AdapterApplicationTests {
  /// Every adapter of the folder that has a merged model beside it.
  static let writers = directoryEntries(Fixtures.path("lora/sd1-small"))
    .filter { $0.hasSuffix(".merged.safetensors") }
    .map { String($0.dropLast(".merged.safetensors".count)) }

  /// Adapters by four programs and of every algorithm.
  @Test(arguments: writers)
  func givesTheWeightsOfOtherPrograms(writer: String) throws {
    let base = try BaseModel(opening: Fixtures.path("lora/sd1-small/base"))
    // Its widths are those of no known model.
    #expect(base.familyName == "generic")
    let adapter = try AdapterFile(opening: Fixtures.path("lora/sd1-small/\(writer).safetensors"))
    let merged = try TensorFile(
      opening: Fixtures.path("lora/sd1-small/\(writer).merged.safetensors"))
    var compared = 0
    for module in adapter.modules where module.changesWeight {
      let weight = try #require(try base.weight(of: module), "\(module.name)")
      let adapted = try module.applied(to: weight, multiplier: 1)
      guard let key = base.key(of: module) else { continue }
      let goal = try #require(merged[key], "\(key)")
      // f32 against float64.
      expectClose(
        adapted.reshaped(goal.shape), goal.tensor(), tolerance: 1e-6, "\(writer) \(module.name)")
      #expect(try module.applied(to: weight, multiplier: 0) == weight)
      compared += 1
    }
    #expect(compared == adapter.modules.count { $0.changesWeight })
  }

  @Test func refusesAWeightOfAnotherShape() throws {
    let path = Fixtures.path("lora/linear.safetensors")
    let module = try AdapterFile(opening: path).modules[0]
    let error = #expect(throws: CheckpointError.self) {
      try module.applied(to: Tensor(zeros: [2, 3]), multiplier: 1)
    }
    #expect(
      error?.description.hasPrefix(
        "\(path): module 'module': 'lora_up.weight': expected shape [2, ")
        == true, "\(error?.description ?? "")")
  }

  /// It is for a wider weight, and says so before anything is multiplied.
  @Test func takesAnExtendedWeight() throws {
    let golden = try GoldenCase("other/reshape-linear-both")
    let module = try AdapterFile(golden.file).modules[0]
    #expect(throws: CheckpointError.self) {
      try module.applied(to: golden.base.tensor(), multiplier: 1)
    }
    let weight = golden.base.tensor().extended(to: try #require(golden.reshaped))
    expectClose(
      try module.applied(to: weight, multiplier: 1), golden.merged("1").decoded(), tolerance: 1e-5)
  }

  /// The file does not tell what its product is subtracted from.
  @Test func refusesATLoRA() throws {
    let name = try #require(GoldenCase.names.first { $0.hasPrefix("tlora/") })
    let golden = try GoldenCase(name)
    let module = try AdapterFile(golden.file).modules[0]
    #expect(throws: CheckpointError.self) {
      try module.applied(to: golden.base.tensor(), multiplier: 1)
    }
  }

  @Test func knowsNoWeightOfAnotherModel() throws {
    let folder = TemporaryFolder()
    let base = try BaseModel(
      opening: folder.write(
        "base.safetensors", ["a.weight": EncodedTensor(Tensor(zeros: [2, 2]), as: .f32)]))
    let module = try AdapterFile(opening: Fixtures.path("lora/linear.safetensors")).modules[0]
    #expect(base.key(of: module) == nil)
    #expect(try base.weight(of: module) == nil)
  }
}
