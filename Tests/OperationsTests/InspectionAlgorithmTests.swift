import Checkpoints
import ModelFamilies
import Operations
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// What an inspection says about algorithms beyond their names.
@Suite struct InspectionAlgorithmTests {
  private func inspect(
    _ shapes: [String: Shape], metadata: [String: String] = [:], integers: Set<String> = []
  ) throws -> Inspection {
    let folder = TemporaryFolder()
    let tensors = Dictionary(
      uniqueKeysWithValues: shapes.map { key, shape in
        (
          key,
          EncodedTensor(
            Tensor(random: shape, seed: UInt64(key.utf8.count)),
            as: integers.contains(key) ? .i64 : .f32)
        )
      })
    return try Inspection(
      opening: folder.write("a.safetensors", tensors, metadata: metadata), as: nil)
  }

  private func findings(_ inspection: Inspection) async throws -> [String] {
    try await inspection.check(threads: 2, progress: .silent).findings
  }

  private static let lora: [String: Shape] = [
    "a.lora_up.weight": [6, 2], "a.lora_down.weight": [2, 4], "a.alpha": [],
  ]

  /// Every golden case is sound, whatever its algorithm.
  @Test(arguments: GoldenCase.names)
  func goldenCasesHaveNoFindings(name: String) async throws {
    let golden = try GoldenCase(name)
    let folder = TemporaryFolder()
    let path = try folder.write(
      "a.safetensors",
      Dictionary(uniqueKeysWithValues: golden.factors.map { ("m.\($0)", $1.stored) }))
    let inspection = try Inspection(opening: path)
    let adapter = try #require(inspection.report().adapter)
    let algorithm = try #require(adapter.algorithms.first?.name)
    #expect(
      algorithm == golden.algorithm || algorithm.hasPrefix(golden.algorithm + " + "), "\(algorithm)"
    )
    #expect(adapter.modules == 1)
    let alphas = ["alpha-negative", "alpha-zero"]
    if !alphas.contains(where: { name.hasSuffix($0) }) {
      #expect(try await findings(inspection) == [], "\(name)")
    }
  }

  /// alpha bounds a rotation: it scales nothing, and 0 says that there is no bound.
  @Test func constraintsAreNoAlphas() throws {
    for file in ["diag-oft", "boft"] {
      let adapter = try #require(
        Inspection(opening: Fixtures.path("inspect/\(file).safetensors")).report().adapter)
      for group in adapter.groups {
        #expect(group.alphas == [] && group.scales == [] && group.ranks == [])
        #expect(group.constraints.reduce(0) { $0 + $1.modules } == group.modules)
      }
    }
  }

  @Test func saysWhatShapesLeaveOpen() throws {
    let square = try inspect([
      "a.a1.weight": [4, 4], "a.a2.weight": [4, 4], "a.b1.weight": [4, 4], "a.b2.weight": [4, 4],
      "a.alpha": [],
    ])
    #expect(
      square.report().adapter?.notes == [
        "ambiguous: 'a': rank, inputs and outputs are equal: read as LyCORIS 2 and later store GLoRA"
      ])
    let vector: [String: Shape] = [
      "lora_up.weight": [4, 2], "lora_down.weight": [2, 4], "dora_scale": [4],
    ]
    let two = try inspect(
      Dictionary(
        uniqueKeysWithValues: ["a", "b"].flatMap { name in
          vector.map { ("\(name).\($0)", $1) }
        }))
    #expect(
      two.report().adapter?.notes == [
        "ambiguous: 'a' and 1 more: a vector of magnitudes beside a square weight: read as one for "
          + "every output"
      ])
  }

  @Test(arguments: [
    ["ss_network_module": "networks.dylora"], ["ss_network_args": #"{"algo": "dylora"}"#],
  ])
  func tellsDyLoRA(metadata: [String: String]) throws {
    #expect(try inspect(Self.lora).report().adapter?.notes == [])
    let report = try inspect(Self.lora, metadata: metadata).report()
    let notes = try #require(report.adapter).notes
    #expect(notes.count == 1 && notes[0].hasPrefix("trained as DyLoRA: every lower rank is"))
  }

  /// adapters.md, rs_lora: a LoKr without a rank is loaded at 1 and was not trained at 1.
  @Test(arguments: [("True", true), ("False", false)])
  func findsTheLostScaleOfLoKr(flag: String, isFound: Bool) async throws {
    let metadata = ["ss_network_args": #"{"algo": "lokr", "rs_lora": "\#(flag)"}"#]
    let whole = try inspect(
      ["a.lokr_w1": [2, 2], "a.lokr_w2": [3, 2], "a.alpha": []], metadata: metadata)
    let found = try await findings(whole)
    #expect(found.contains { $0.contains("first 'a', trained with rs_lora") } == isFound)
    let factored = try inspect(
      ["a.lokr_w1": [2, 2], "a.lokr_w2_a": [3, 1], "a.lokr_w2_b": [1, 2]], metadata: metadata)
    #expect(try await findings(factored) == [])
  }

  struct Fault: Sendable, CustomTestStringConvertible {
    let shapes: [String: Shape]
    let finding: String
    var testDescription: String { finding }

    init(_ shapes: [String: Shape], _ finding: String) {
      (self.shapes, self.finding) = (shapes, finding)
    }
  }

  static let faults: [Fault] = [
    Fault(["a.hada_w1_a": [6, 2], "a.hada_w1_b": [2, 4]], "module 'a': 'hada_w2_a' is missing"),
    Fault(
      ["a.lokr_w1": [2, 2], "a.lokr_w2_a": [3, 2], "a.lokr_w2_b": [4, 2]],
      "module 'a': 'lokr_w2_a': expected shape [3, 4], found [3, 2]"
    ),
    Fault(["a.lokr_w1": [2, 2]], "module 'a': 'lokr_w2' is missing"),
    Fault(["a.on_input": []], "module 'a': 'weight' is missing"),
    Fault(
      ["a.oft_blocks": [2, 4, 3]],
      "module 'a': 'oft_blocks': expected shape [n, b, b], found [2, 4, 3]"
    ),
    Fault(
      ["a.oft_blocks": [2, 3, 3], "a.rescale": [5]],
      "module 'a': 'rescale': expected shape [6], found [5]"
    ),
    Fault(
      ["a.oft_blocks": [2, 4, 3, 3]],
      "module 'a': 'oft_blocks': expected shape [m, n, b, b] with n · b = 12 and even b, "
        + "found [2, 4, 3, 3]"
    ),
    Fault(
      ["a.oft_blocks": [4, 4]],
      "tensor 'a.oft_blocks': no algorithm has 'oft_blocks' alone or in the shape [4, 4]"
    ),
    Fault(
      ["a.a1.weight": [4, 2], "a.a2.weight": [2, 4], "a.b1.weight": [6, 2]],
      "module 'a': 'b2.weight' is missing"
    ),
    Fault(
      ["a.p_layer.weight": [6, 2], "a.q_layer.weight": [2, 4], "a.lambda_layer": [1, 3]],
      "module 'a': 'lambda_layer': expected shape [1, 2], found [1, 3]"
    ),
    Fault(
      ["a.lora_up.weight": [6, 2], "a.lora_down.weight": [2, 4], "a.dora_scale": [5, 1]],
      "module 'a': 'dora_scale': expected shape [6, 1] or [1, 4], found [5, 1]"
    ),
  ]

  @Test(arguments: faults)
  func findsWhatDoesNotGoTogether(fault: Fault) async throws {
    // A sound module beside it, so that the file is an adapter.
    var all = Dictionary(uniqueKeysWithValues: Self.lora.map { ("z" + $0, $1) })
    all.merge(fault.shapes) { $1 }
    let found = try await findings(try inspect(all, integers: ["a.on_input"]))
    #expect(found.contains(fault.finding), "\(found)")
  }

  /// Zeros that mean no change, and zeros that do not.
  struct Zeros: Sendable, CustomTestStringConvertible {
    let name: String
    let zeros: [String: Shape]
    let others: [String: Shape]
    let hasNoEffect: Bool
    var testDescription: String { name }

    init(
      _ name: String, _ zeros: [String: Shape], _ others: [String: Shape], _ hasNoEffect: Bool
    ) {
      (self.name, self.zeros, self.others) = (name, zeros, others)
      self.hasNoEffect = hasNoEffect
    }
  }

  static let zeros: [Zeros] = [
    Zeros("ia3", ["weight": [4]], ["on_input": []], true),
    Zeros("rotation", ["oft_blocks": [2, 2, 2]], [:], false),
    Zeros("whole rotation", ["oft_diag": [2, 2, 2]], [:], false),
    Zeros(
      "glora", ["a1.weight": [4, 2], "b1.weight": [6, 2]],
      ["a2.weight": [2, 4], "b2.weight": [2, 4]], true
    ),
    Zeros(
      "half of glora", ["a1.weight": [4, 2]],
      ["a2.weight": [2, 4], "b1.weight": [6, 2], "b2.weight": [2, 4]], false
    ),
    Zeros(
      "dora", ["lora_up.weight": [6, 2]], ["lora_down.weight": [2, 4], "dora_scale": [6, 1]], false
    ),
    Zeros("lokr", ["lokr_w1": [2, 2]], ["lokr_w2": [3, 2]], true),
  ]

  @Test(arguments: zeros)
  func zeroModules(module: Zeros) async throws {
    let folder = TemporaryFolder()
    var tensors = Self.lora.mapValues { EncodedTensor(Tensor(random: $0, seed: 1), as: .f32) }
    for (suffix, shape) in module.zeros {
      tensors["m.\(suffix)"] = EncodedTensor(Tensor(zeros: shape), as: .f32)
    }
    for (suffix, shape) in module.others {
      tensors["m.\(suffix)"] = EncodedTensor(Tensor(random: shape, seed: 2), as: .f32)
    }
    let check = try await Inspection(opening: folder.write("a.safetensors", tensors)).check(
      threads: 2, progress: .silent)
    #expect(check.notes.contains("module 'm' is zero") == module.hasNoEffect, "\(check)")
  }

  static let refused: [([String: Shape], String)] = [
    (["base_model.model.a.oft_R.weight": [4, 6]], "PEFT OFT"),
    (["base_model.model.a.vera_lambda_b": [6], "base_model.model.a.vera_lambda_d": [2]], "VeRA"),
    (
      ["a.lora_A.weight": [2, 4], "a.lora_B.weight": [6, 2], "a.lora_E": [2, 1]], "AdaLoRA"
    ),
    (
      [
        "transformer.layers.0.attention.query_key_value.matrix_A.0": [2, 4],
        "transformer.layers.0.attention.query_key_value.matrix_A.1": [2, 4],
        "transformer.layers.0.attention.query_key_value.matrix_B.0": [4, 2],
        "transformer.layers.0.attention.query_key_value.matrix_B.1": [4, 2],
      ], "LoRA of SwissArmyTransformer"
    ),
  ]

  /// Formats that are known only to be refused by their names.
  @Test(arguments: refused)
  func namesFormatsThatCannotBeApplied(tensors: [String: Shape], name: String) async throws {
    let inspection = try inspect(tensors)
    let report = inspection.report()
    #expect(report.kind == .adapter)
    #expect(report.adapter?.algorithms.map(\.name) == [name])
    #expect(report.adapter?.algorithms.map(\.isKnown) == [false])
    #expect(
      report.adapter?.notes.first?.hasPrefix("cannot be merged or measured here: \(name): ") == true
    )
    #expect(try await findings(inspection).count == 1)
    let error = #expect(throws: CheckpointError.self) { try AdapterFile(inspection.file) }
    #expect(error?.description.contains("1 module of \(name), which cannot be applied: ") == true)
  }

  /// Beside modules that can be applied they are unmatched, with the reason.
  @Test func mergeNamesThem() throws {
    let folder = TemporaryFolder()
    let base = try folder.write(
      "base.safetensors",
      [
        "a.weight": EncodedTensor(Tensor(zeros: [6, 4]), as: .f32),
        "b.weight": EncodedTensor(Tensor(zeros: [6, 4]), as: .f32),
      ])
    var tensors = Self.lora.mapValues { EncodedTensor(Tensor(zeros: $0), as: .f32) }
    tensors["b.oft_R.weight"] = EncodedTensor(Tensor(zeros: [2, 1]), as: .f32)
    let adapter = try folder.write("a.safetensors", tensors)
    let (plan, _) = try mergePlan(base, [Strength(path: adapter)], as: .generic)
    #expect(plan.matchedCount == 1)
    #expect(plan.unmatched.map(\.module) == ["b.oft_R.weight"])
    #expect(plan.unmatched.first?.reason.hasPrefix("tensor of PEFT OFT: it rotates inputs") == true)
  }
}
