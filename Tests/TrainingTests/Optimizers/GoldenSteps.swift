import Autograd
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Training

/// Twenty steps of one optimizer by fixed gradients, as its own package made them, see
/// `scripts/fixtures/training/make-numerics-fixtures.py`.
struct GoldenSteps: CustomTestStringConvertible {
  static let stepCount = 20
  static let kept = [1, 3, 20]

  static let all: [GoldenSteps] = {
    guard let file = try? TensorFile(opening: path("optimizers")),
      let cases = file.metadata["cases"].flatMap({ JSONValue(parsing: $0) })
    else { return [] }
    return cases.members.map { GoldenSteps(name: $0.key, options: $0.value) }
  }()

  let name: String
  let options: JSONValue

  var testDescription: String { name }

  private static func path(_ name: String) -> FilePath {
    Fixtures.path("training/numerics/\(name).safetensors")
  }

  /// Relative, of the way that parameters went; a quarter of it, of their values.
  ///
  /// The state of eight bits holds two digits. bitsandbytes' CPU code does not always round a number near the
  /// middle of two codes to the nearer one; where it was made to, only such rest as f32 rounds differently.
  var tolerance: Double {
    switch name {
    case "adamw8bit.nearest": 1e-3
    case let name where name.contains("8bit"): 5e-3
    default: 2e-5
    }
  }

  func file() throws -> TensorFile {
    try TensorFile(
      opening: Self.path(options["large"] == .bool(true) ? "optimizers-8bit" : "optimizers"))
  }

  func choice() throws -> OptimizerChoice {
    try OptimizerChoice(
      named: options["type"]?.text ?? "",
      arguments: options["arguments"]?.elements.map(\.text) ?? [])
  }

  var rates: [Double] { options["rates"]?.elements.compactMap { Double($0.text) } ?? [] }
  var adaptedRate: Double? { options["d"].flatMap { Double($0.text) } }

  func groups(_ file: TensorFile) throws -> [ParameterGroup] {
    let names = rates.count == 2 ? [["a", "b"], ["c", "zero"]] : [["large", "b"]]
    return try zip(names, rates).map { names, rate in
      ParameterGroup(
        name: names.joined(),
        parameters: try names.map {
          Parameter($0, try #require(file.tensors["start.\($0)"]).tensor())
        },
        rate: rate)
    }
  }

  /// Gives the gradients of a step, counted from 0.
  func setGradients(_ groups: [ParameterGroup], _ file: TensorFile, step: Int) throws {
    for parameter in groups.flatMap(\.parameters) {
      let all = try #require(file.tensors["gradient.\(parameter.name)"]).tensor()
      parameter.gradient = all.rows(step..<step + 1).reshaped(parameter.value.shape)
    }
  }
}
