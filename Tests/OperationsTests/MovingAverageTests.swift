import Checkpoints
import Foundation
import Operations
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Averages over the files of a run, against their definition in float64.
@Suite struct MovingAverageTests {
  static let paths = (0..<4).map { Fixtures.path("combine/average.\($0).safetensors") }

  @Test(arguments: [
    ("constant", MovingAverage.Decay.constant(0.95)), ("linear", .linear(0.9, 0.99)),
    ("power", .power(relativeDeviation: 0.2)),
  ])
  func equalsTheDefinition(name: String, decay: MovingAverage.Decay) async throws {
    let folder = TemporaryFolder()
    let average = try MovingAverage(Self.paths, sorted: false, decay: decay)
    try await average.write(to: folder.file("a.safetensors"), threads: 2, progress: .silent)
    let found = try TensorFile(opening: folder.file("a.safetensors"))
    let golden = try TensorFile(opening: Fixtures.path("combine/average.safetensors"))
    for (key, tolerance) in [("up", 1e-6), ("down", 5e-4)] {
      let key = "lora_unet_a.lora_\(key).weight"
      let expected = try #require(golden.tensors["\(name).\(key)"])
      let actual = try #require(found.tensors[key])
      #expect(actual.dtype == expected.dtype)
      // A step of f16 where f32 and f64 fall on the sides of a tie.
      expectClose(actual.tensor(), expected.tensor(), tolerance: tolerance, key)
    }
    #expect(found.tensors["lora_unet_a.alpha"]?.tensor().elements == [2])
    #expect(found.tensors["lora_unet_a.steps"]?.dtype == .i64)
    #expect(found.metadata["ss_steps"] == "300")
    #expect(found.metadata["sshs_model_hash"]?.count == 64)
    if name == "power" {
      let betas = try #require(golden.tensors["betas.power"]).tensor().elements
      for (step, beta) in zip(average.steps.dropFirst(), betas) {
        #expect(abs(Float(step.beta ?? -1) - beta) < 1e-6)
      }
      #expect(average.steps[1].beta == 0)
    }
  }

  /// Two files: β₁ alone, whatever β₂ is.
  @Test func twoFilesHaveOneStep() throws {
    #expect(MovingAverage.Decay.linear(0.9, 0.5).beta(at: 1, of: 2) == 0.9)
    // Karras et al. 2024: γ of σ_rel 0.10 and 0.05 are 6.94 and 16.97.
    #expect(abs(MovingAverage.Decay.exponent(ofDeviation: 0.10) - 6.94) < 0.005)
    #expect(abs(MovingAverage.Decay.exponent(ofDeviation: 0.05) - 16.97) < 0.005)
  }

  @Test func sortsByTime() throws {
    let folder = TemporaryFolder()
    var paths: [FilePath] = []
    for (index, time) in [300.0, 100, 200].enumerated() {
      let path = try folder.write(
        "\(index).safetensors", ["m.diff": EncodedTensor(Tensor([1], [Float(index)]), as: .f32)])
      try FileManager.default.setAttributes(
        [.modificationDate: Date(timeIntervalSince1970: time)], ofItemAtPath: path.string)
      paths.append(path)
    }
    func order(sorted: Bool) throws -> [FilePath] {
      try MovingAverage(paths, sorted: sorted, decay: .constant(0.5)).steps.map(\.path)
    }
    #expect(try order(sorted: true) == [paths[1], paths[2], paths[0]])
    #expect(try order(sorted: false) == paths)
  }

  @Test func refusesOtherFiles() throws {
    let folder = TemporaryFolder()
    func file(_ name: String, _ tensors: [String: Tensor]) throws -> FilePath {
      try folder.write(name, tensors.mapValues { EncodedTensor($0, as: .f32) })
    }
    let first = try file("a", ["m.diff": Tensor(zeros: [2]), "m.alpha": Tensor(scalar: 1)])
    for (name, tensors, text) in [
      ("b", ["m.diff": Tensor(zeros: [2])], "missing"),
      ("c", ["m.diff": Tensor(zeros: [3]), "m.alpha": Tensor(scalar: 1)], "shape"),
      ("d", ["m.diff": Tensor(zeros: [2]), "m.alpha": Tensor(scalar: 2)], "m.alpha"),
      (
        "e",
        ["m.diff": Tensor(zeros: [2]), "m.alpha": Tensor(scalar: 1), "n.diff": Tensor(zeros: [1])],
        "missing"
      ),
    ] {
      let path = try file(name, tensors)
      let error = #expect(throws: MovingAverageError.self) {
        try MovingAverage([first, path], sorted: false, decay: .constant(0.5))
      }
      #expect("\(try #require(error))".contains(text), "\(name)")
    }
  }
}
