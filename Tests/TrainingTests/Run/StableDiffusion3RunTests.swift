import Autograd
import Checkpoints
import Foundation
import LinearAlgebra
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Pipelines
@testable import Training

/// Runs on tiny models of Stable Diffusion 3: what is kept in files, left out and said.
@Suite(.serialized) struct StableDiffusion3RunTests {
  private typealias Run = StableDiffusion3Run

  // MARK: Files

  @Test(arguments: [
    ("sd3-medium", "medium", "stable-diffusion-3-medium", 17),
    ("sd35-medium", "5-medium", "stable-diffusion-3-5-medium", 19),
  ])
  func adapterSaysWhatItIs(
    name: String, version: String, architecture: String, count: Int
  ) throws {
    let folder = TemporaryFolder()
    let run = try Run.losses(Run.configuration(name, in: folder))
    #expect(run.losses.count == 2 && run.losses.allSatisfy { $0 > 0 && $0.isFinite })
    let file = try TensorFile(opening: run.output)
    #expect(file.tensors.keys.count { $0.hasSuffix(".alpha") } == count)
    let expected = [
      "ss_base_model_version": version, "modelspec.architecture": architecture + "/lora",
      "modelspec.implementation": "diffusers", "modelspec.prediction_type": "epsilon",
      "ss_network_module": "networks.lora_sd3", "ss_apply_lg_attn_mask": "False",
      "ss_apply_t5_attn_mask": "False", "ss_weighting_scheme": "uniform", "ss_logit_mean": "0.0",
      "ss_logit_std": "1.0", "ss_mode_scale": "1.29", "ss_v2": "False",
    ]
    for (key, value) in expected { #expect(file.metadata[key] == value, "\(key)") }
    // Of Flux.1 and musubi-tuner alone.
    for key in ["ss_guidance_scale", "ss_timestep_sampling", "ss_discrete_flow_shift"] {
      #expect(file.metadata[key] == nil, "\(key)")
    }
  }

  /// The same loss from a checkpoint in diffusers' layout needs caches as wide as it reads.
  @Test(arguments: ["sd3-medium", "sd35-medium"]) func trainsFromDiffusersLayout(
    _ name: String
  ) throws {
    let folder = TemporaryFolder()
    var configuration = try Run.configuration(name, in: folder)
    configuration.model.base = Fixtures.path("training/transformers/\(name)")
    configuration.network.weights = nil
    let plan = try TrainingPlan(configuration)
    #expect(plan.outline.variant == (name == "sd3-medium" ? "medium" : "5-medium"))
    let run = try Run.losses(configuration)
    let file = try TensorFile(opening: run.output)
    let up = "lora_transformer_transformer_blocks_0_attn_add_k_proj.lora_up.weight"
    #expect(try #require(file.tensors[up]).tensor().sumOfSquares > 0)
  }

  /// Files that say that they were made otherwise, that are too wide, and of which an array is missing.
  @Test func cachesThatDoNotFit() throws {
    let folder = TemporaryFolder()
    func refusal(_ change: (inout TrainingConfiguration) -> Void) throws -> String {
      var configuration = try Run.configuration("sd3-medium", in: folder)
      change(&configuration)
      return message { _ = try TrainingPlan(configuration) }
    }
    let masked = try refusal { $0.model.appliesT5Mask = true }
    #expect(
      masked.contains("a_sd3_te.npz: expected a cache of text encoded with '--apply_t5_attn_mask'"),
      "\(masked)")
    let seen = try refusal { $0.model.appliesCLIPMask = true }
    #expect(seen.contains("encoded with '--apply_lg_attn_mask'"), "\(seen)")
    let images = try Self.images(in: folder) { arrays in
      arrays["lg_out"] = NumpyArray(Tensor(zeros: [5, 25]))
    }
    let wide = message {
      _ = try TrainingPlan(Run.configuration("sd3-medium", images: images, in: folder))
    }
    #expect(wide.contains("at most 24 columns in 'lg_out'"), "\(wide)")
  }

  /// Files of encoders that are not there, where all captions are kept and where one is not.
  @Test func encodersThatAreNotThere() throws {
    let folder = TemporaryFolder()
    let plain = try Run.losses(Run.configuration("sd3-medium", in: folder))
    let images = try Self.images(in: folder) { _ in }
    var configuration = try Run.configuration("sd3-medium", images: images, in: folder)
    configuration.model.componentFiles = [
      "clip_l": "nowhere/l.safetensors", "t5xxl": "nowhere/t5.safetensors",
    ]
    configuration.model.t5MaxTokenLength = 9
    let plan = try TrainingPlan(configuration)
    let whole = "is not there, and not needed: what text encoders make of captions is kept"
    for option in ["'--clip_l': nowhere/l.safetensors", "'--t5xxl': nowhere/t5.safetensors"] {
      #expect(plan.notices.contains("\(option) \(whole)"), "\(plan.notices)")
    }
    #expect(
      plan.notices.count { $0.contains("'--t5xxl_max_token_length' asks for 9") } == 1,
      "\(plan.notices)")
    #expect(try Run.losses(configuration).losses == plain.losses)
    try FileManager.default.removeItem(atPath: images.appending("a_sd3_te.npz").string)
    #expect(
      message { _ = try TrainingPlan(configuration) }
        == "nowhere/l.safetensors: '--clip_l': expected a file, found none; it is needed for 1 of 2 captions, which are not "
        + "kept in files")
    configuration.model.componentFiles = ["clip": "nowhere"]
    #expect(message { _ = try TrainingPlan(configuration) }.contains("whose parts are named by"))
    configuration.model.componentFiles = ["t5xxl": "nowhere"]
    configuration.textCaching = .memory
    #expect(
      message { _ = try TrainingPlan(configuration) }.hasPrefix("'--t5xxl': nowhere: "))
  }

  @Test func picturesBeyondTheGrid() throws {
    let folder = TemporaryFolder()
    let configuration = try Run.configuration("sd3-medium", in: folder)
    let path = try #require(configuration.images.configuration)
    let text = String(decoding: try contents(of: path), as: UTF8.self)
    // Eight places of sixteen pixels.
    try text.replacingAll("[64, 48]", with: "[144, 48]")
      .write(toFile: path.string, atomically: true, encoding: .utf8)
    let said = message { _ = try TrainingPlan(configuration) }
    #expect(
      said
        == "'--resolution': Stable Diffusion 3 and 3.5 knows places of pictures of at most 128 pixels a side, found "
        + "144x48: lower it, or '--max_bucket_reso'", "\(said)")
  }

  /// A lower rate is no cure of a model whose own weights are no numbers.
  @Test func weightsThatAreNoNumbers() throws {
    let folder = TemporaryFolder()
    var configuration = try Run.configuration("sd3-medium", in: folder)
    let key = "model.diffusion_model.joint_blocks.0.x_block.mlp.fc2.weight"
    configuration.model.base = try Self.base(in: folder) { tensors in
      let name = try #require(tensors.keys.first { key.hasSuffix($0) })
      var weight = tensors[name]!.decoded()
      weight.elements[5] = .infinity
      tensors[name] = EncodedTensor(weight, as: .f32)
    }
    let said = message { _ = try Run.losses(configuration) }
    #expect(
      said.hasPrefix(
        "step 1: the loss is not a number, since the model's own weights are not: "
          + "\(configuration.model.base): tensor '")
        && said.contains("joint_blocks.0.x_block.mlp.fc2.weight'")
        && !said.contains("learning_rate"),
      "\(said)")
  }

  // MARK: What is left out

  /// The same as captions of which that part is zero.
  @Test(arguments: [["t5"], ["clip_l", "clip_g"]]) func leftOutIsZero(parts: [String]) throws {
    let folder = TemporaryFolder()
    let images = try Self.images(in: folder) { arrays in
      for name in parts == ["t5"] ? ["t5_out"] : ["lg_out", "lg_pooled"] {
        guard let shape = arrays[name]?.shape else { continue }
        arrays[name] = NumpyArray(Tensor(zeros: shape))
      }
    }
    let zeros = try Run.losses(Run.configuration("sd35-medium", images: images, in: folder))
    var configuration = try Run.configuration("sd35-medium", in: folder)
    for part in parts { configuration.textDropout.rates[part] = 1 }
    #expect(try Run.losses(configuration).losses == zeros.losses)
    configuration.textDropout.rates = ["t5": 0, "clip_g": 0]
    #expect(try Run.losses(configuration).losses != zeros.losses)
  }

  /// Each encoder's columns, rows and numbers of the vector, of one caption and not of its neighbour.
  @Test func partsAreThoseOfTheirEncoders() throws {
    let (text, pooled) = (Tensor(random: [2, 7, 24], seed: 1), Tensor(random: [2, 20], seed: 2))
    func tokens(_ rows: Range<Int>, _ columns: Int) -> Variable {
      Variable(text).tokens(rows).channels(0..<columns)
    }
    let condition = StableDiffusion3Pipeline.Condition(
      clip: tokens(0..<4, 18), t5: tokens(4..<7, 24), pooled: Variable(pooled), columns: 24,
      left: (columns: 6, pooled: 8))
    func zeros(_ parts: Set<String>) -> (text: [[Int]], pooled: [Int]) {
      let left = condition.leavingOut([[], parts])
      #expect(left.text.value.rows(0..<1) == condition.text.value.rows(0..<1))
      #expect(left.pooled.value.rows(0..<1) == condition.pooled.value.rows(0..<1))
      let second = left.text.value.rows(1..<2).elements
      return (
        (0..<7).map { row in (0..<24).filter { second[row * 24 + $0] == 0 } },
        (0..<20).filter { left.pooled.value.elements[20 + $0] == 0 }
      )
    }
    // What fills the columns of CLIP is zero anyway.
    let filling = Array(18..<24)
    let (l, g, t5) = (zeros(["clip_l"]), zeros(["clip_g"]), zeros(["t5"]))
    #expect(l.text[0..<4].allSatisfy { $0 == Array(0..<6) + filling } && l.text[4] == [])
    #expect(g.text[0..<4].allSatisfy { $0 == Array(6..<24) } && g.text[6] == [])
    #expect(t5.text[0] == filling && t5.text[4..<7].allSatisfy { $0 == Array(0..<24) })
    #expect(l.pooled == Array(0..<8) && g.pooled == Array(8..<20) && t5.pooled == [])
  }

  /// As often as asked, each part by itself, and the same whenever a sample is asked for.
  @Test func rates() {
    var dropout = TextDropout()
    dropout.rates = ["clip_l": 0.3, "t5": 0.6]
    let parts = StableDiffusion3Pipeline.textParts
    let count = 4000
    let drawn = (0..<count).map { sample in
      dropout.leftOut(
        of: parts, at: .init(seed: 5, epoch: 1, sample: sample, step: 0, stepCount: 1))
    }
    func share(_ isCounted: (Set<String>) -> Bool) -> Double {
      Double(drawn.count(where: isCounted)) / Double(count)
    }
    // Four deviations of a share.
    #expect(abs(share { $0.contains("clip_l") } - 0.3) <= 0.03)
    #expect(abs(share { $0.contains("t5") } - 0.6) <= 0.031)
    #expect(abs(share { $0.count == 2 } - 0.18) <= 0.025)
    #expect(!drawn.contains { $0.contains("clip_g") })
    dropout.rates["clip_g"] = 1
    for (sample, before) in drawn.enumerated() {
      let now = dropout.leftOut(
        of: parts, at: .init(seed: 5, epoch: 1, sample: sample, step: 9, stepCount: 99))
      #expect(now == before.union(["clip_g"]))
    }
  }

  /// A run that goes on upon other weights, or with captions of another length, is told.
  @Test func resumedUponOtherWeights() throws {
    let folder = TemporaryFolder()
    var configuration = try Run.configuration("sd3-medium", in: folder)
    configuration.output.savesStateAtEnd = true
    configuration.run.steps = 1
    _ = try Run.losses(configuration)
    configuration.run.resumed = folder.file("out/adapter-state")
    configuration.run.steps = 2
    func notices() throws -> [String] {
      try TrainingPlan(configuration).notices.filter { $0.contains("'--resume'") }
    }
    #expect(try notices().isEmpty)
    configuration.model.t5MaxTokenLength = 100
    #expect(
      try notices() == [
        "'--resume': the state was saved with captions of 333 tokens; from here on they have 177"
      ])
    configuration.model.t5MaxTokenLength = nil
    configuration.model.base = try Self.base(in: folder) { tensors in
      for (key, tensor) in tensors where key.hasSuffix("final_layer.linear.weight") {
        tensors[key] = EncodedTensor(tensor.decoded() * 2, as: .f32)
      }
    }
    #expect(
      try notices() == [
        "'--resume': the state was saved upon other weights than those of \(configuration.model.base): what was learned "
          + "upon them goes on upon these"
      ])
  }

  @Test func otherFamiliesHaveNoParts() throws {
    let run = try SmallRun()
    defer { run.remove() }
    var configuration = run.configuration
    configuration.textDropout.rates = ["t5": 0.1, "clip_l": 0.1, "clip_g": 0]
    let notices = try TrainingPlan(configuration).notices
    #expect(
      notices.contains {
        $0.hasPrefix("'--clip_l_dropout_rate', '--t5_dropout_rate' have no effect")
      }, "\(notices)")
  }

  // MARK: What encoders make

  /// Zeros stand in the places of encoders that are missing.
  @Test func missingEncoders() throws {
    let (l, lWhole) = (Tensor(random: [2, 77, 6], seed: 1), Tensor(random: [2, 6], seed: 2))
    let (g, gWhole) = (Tensor(random: [2, 77, 9], seed: 3), Tensor(random: [2, 14], seed: 4))
    let (t5, mask) = (Tensor(random: [2, 5, 24], seed: 5), Tensor(zeros: [2, 5]))
    let all = ["te1": [l, lWhole], "te2": [g, gWhole], "te3": [t5, mask]]
    func joined(_ encoders: [String]) -> StableDiffusion3Pipeline.JoinedText {
      .init(
        encoders.flatMap { all[$0]! }.map { Variable($0) }, of: encoders, captions: 2,
        width: (text: 24, pooled: 20))
    }
    let whole = joined(["te1", "te2", "te3"])
    #expect(whole.clip.shape == [2, 77, 15] && whole.pooled.shape == [2, 20])
    #expect(whole.clip.channels(0..<6).value == l && whole.pooled.channels(6..<20).value == gWhole)
    #expect(whole.t5?.value == t5 && whole.left == (6, 6))
    let left = joined(["te1"])
    #expect(left.t5 == nil && left.pooled.channels(0..<6).value == lWhole)
    #expect(left.pooled.channels(6..<20).value == Tensor(zeros: [2, 14]))
    let right = joined(["te2", "te3"])
    #expect(right.pooled.channels(6..<20).value == gWhole && right.left.pooled == 6)
    #expect(right.pooled.channels(0..<6).value == Tensor(zeros: [2, 6]))
    #expect(right.clip.channels(6..<15).value == g)
    let none = joined(["te3"])
    #expect(none.pooled.value == Tensor(zeros: [2, 20]) && none.t5?.value == t5)
    let condition = StableDiffusion3Pipeline.Condition(
      clip: left.clip, t5: nil, pooled: left.pooled, columns: 24)
    #expect(condition.text.shape == [2, 77 + 77, 24])
    #expect(condition.text.tokens(77..<154).value == Tensor(zeros: [2, 77, 24]))
  }

  // MARK: Helpers

  /// The weights of an oracle, changed.
  private static func base(
    in folder: borrowing TemporaryFolder, _ change: (inout [String: EncodedTensor]) throws -> Void
  ) throws -> FilePath {
    let file = try TensorFile(
      opening: Fixtures.path("training/oracles/sd3-medium/model.safetensors.zst"))
    var tensors = Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.key, $0.value.stored) })
    try change(&tensors)
    return try folder.write("changed.safetensors", tensors)
  }

  /// The pictures of an oracle with other caches of text.
  private static func images(
    in folder: borrowing TemporaryFolder, _ change: (inout [String: NumpyArray]) -> Void
  ) throws -> FilePath {
    let copy = folder.file("images")
    try FileManager.default.copyItem(
      atPath: Fixtures.path("training/oracles/sd3-medium/images").string, toPath: copy.string)
    for name in directoryEntries(copy) where name.hasSuffix("_sd3_te.npz") {
      let path = copy.appending(name)
      var arrays = Dictionary(
        uniqueKeysWithValues: try NumpyArchive(reading: path).arrays.map { ($0.name, $0.array) })
      change(&arrays)
      try NumpyArchive(arrays.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }).write(to: path)
    }
    return copy
  }
}
