import Foundation
import ModelFamilies
import SystemPackage
import TestSupport
import Testing

@testable import Training

/// LyCORIS' presets on Flux.1, Stable Diffusion 3 and Qwen-Image: as many layers as LyCORIS adapts, and the same outside of
/// blocks. See scripts/fixtures/training/make-transformer-presets.py.
struct TransformerPresetTests {
  struct Selection: Decodable, Sendable {
    let count: Int
    let outside: [String]
  }

  struct Case: CustomTestStringConvertible, Sendable {
    let list: String
    let preset: String
    let expected: Selection
    var testDescription: String { "\(list) \(preset)" }
  }

  static let cases: [Case] = {
    let path = Fixtures.path("training/network/transformer-presets.json").string
    let golden = try! JSONDecoder().decode(
      [String: [String: Selection]].self, from: Data(contentsOf: URL(filePath: path)))
    return golden.keys.sorted().flatMap { list in
      // Names of `ia3` match nothing in LyCORIS 4.1.3, as they are for whole paths; here they are for their ends.
      golden[list]!.keys.filter { $0 != "ia3" }.sorted().map {
        Case(list: list, preset: $0, expected: golden[list]![$0]!)
      }
    }
  }()

  @Test(arguments: cases) func selectsAsMany(_ test: Case) throws {
    func plan() throws -> NetworkPlan {
      try NetworkPlanTests.plan(
        "lycoris.kohya", ["preset=\(test.preset)"], list: test.list
      ) { $0.trainsTextEncoders = false }
    }
    guard test.expected.count > 0 else {
      #expect(throws: (any Error).self) { try plan() }
      return
    }
    let modules = try plan().modules
    #expect(modules.count == test.expected.count)
    let outside = modules.map(\.name).filter { $0.firstMatch(of: /blocks_\d+/) == nil }
    // Names of the trainers begin with `lora_unet_`, those of diffusers' layout do not.
    #expect(
      outside.map { $0.replacing("lora_transformer_", with: "lora_unet_") }.sorted()
        == test.expected.outside)
  }
}
