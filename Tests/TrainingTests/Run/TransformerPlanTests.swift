import Autograd
import Checkpoints
import ModelFamilies
import OrderedCollections
import Pipelines
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Training

/// What a plan finds out about a transformer before a weight is read: one network or two, formats, memory, and what
/// cannot be had together.
@Suite(.serialized) struct TransformerPlanTests {
  private static let wan = Fixtures.path("training/oracles/wan-t2v-128")
  private static var weights: FilePath { wan.appending("model.safetensors.zst") }

  static func configuration(
    _ base: FilePath? = nil, in folder: borrowing TemporaryFolder,
    _ change: (inout TrainingConfiguration) -> Void = { _ in }
  ) throws -> TrainingConfiguration {
    var configuration = TrainingConfiguration(
      model: .init(base: base ?? weights), output: .init(folder: folder.file("out"), name: "a"))
    configuration.model.family = .named("wan")
    configuration.network.flags.module = "networks.lora_wan"
    configuration.network.flags.rank = 2
    configuration.rates.common = 1e-3
    configuration.run.steps = 1
    configuration.run.seed = 7
    configuration.run.threads = 1
    configuration.optimizer = "AdamW"
    let text = String(
      decoding: try contents(of: wan.appending("dataset.toml")), as: UTF8.self)
    configuration.images.configuration = try folder.write(
      "dataset.toml",
      text: text.replacingAll("\"cache\"", with: "\"\(wan.appending("cache"))\""))
    change(&configuration)
    return configuration
  }

  private static func plan(
    _ base: FilePath? = nil, in folder: borrowing TemporaryFolder,
    _ change: (inout TrainingConfiguration) -> Void = { _ in }
  ) throws -> TrainingPlan {
    try TrainingPlan(configuration(base, in: folder, change))
  }

  /// Which models are told that pictures beside have no noise is said by the family's file.
  @Test func picturesAtTimeZero() throws {
    let family = try #require(ModelFamily.named("qwen-image"))
    for variant in [nil, "edit", "edit-2509", "edit-2511"] {
      let rules = family.flowRules(of: variant)
      #expect(rules.showsAtTimeZero == (variant == "edit-2511"), "\(variant ?? "")")
      // All else is common.
      var other = rules
      other.showsAtTimeZero = false
      #expect(other == FlowRules())
    }
  }

  private static func refusal(_ change: (inout TrainingConfiguration) -> Void) -> String {
    let folder = TemporaryFolder()
    return message { _ = try plan(in: folder, change) }
  }

  /// The weights in a format, with four blocks in place of one.
  private static func deepWeights(
    _ name: String, _ dtype: DType, in folder: borrowing TemporaryFolder
  ) throws -> FilePath {
    var tensors: [String: EncodedTensor] = [:]
    for (key, view) in try TensorFile(opening: weights).tensors {
      let tensor = EncodedTensor(view.tensor(), as: dtype)
      for block in 0..<4 {
        tensors[key.replacingAll("blocks.0.", with: "blocks.\(block).")] = tensor
      }
    }
    return try folder.write(name, tensors)
  }

  // MARK: Two networks

  /// Both are in memory, once each, however many blocks are.
  @Test(arguments: [0, 4]) func twoNetworksAreCountedOnce(blocks: Int) throws {
    let folder = TemporaryFolder()
    let path = try Self.deepWeights("model.safetensors", .f32, in: folder)
    let alone = try Self.plan(path, in: folder) { $0.model.streamedBlocks = blocks }
    let both = try Self.plan(path, in: folder) {
      $0.model.streamedBlocks = blocks
      $0.model.highNoise = path
    }
    #expect(alone.blocks.all == 4 && alone.estimate.frozen > 0)
    #expect(both.estimate.frozen == 2 * alone.estimate.frozen)
    #expect(both.estimate.kept == alone.estimate.kept)
    #expect(both.outline.highNoise?.file.path == path)
  }

  /// Where blocks are streamed, as much is read for a batch as the network takes that has more in its file.
  @Test func readsTheWiderOfTwoFiles() throws {
    let folder = TemporaryFolder()
    let wide = try Self.deepWeights("wide.safetensors", .f32, in: folder)
    let narrow = try Self.deepWeights("narrow.safetensors", .bf16, in: folder)
    func read(_ base: FilePath, _ other: FilePath?) throws -> [Int] {
      let plan = try Self.plan(base, in: folder) { $0.model.highNoise = other }
      return (0...plan.blocks.all).map { plan.frozen.read(streaming: $0) }
    }
    let alone = try read(wide, nil)
    #expect(alone[4] > 0)
    #expect(try read(narrow, nil)[4] == alone[4] / 2)
    #expect(try read(narrow, wide) == alone)
    #expect(try read(wide, narrow) == alone)
  }

  @Test func bothNetworksAreOpened() {
    let none = Self.refusal { $0.model.highNoise = "/none/high.safetensors" }
    #expect(none.contains("/none/high.safetensors"), "\(none)")
    let other = Fixtures.path("training/oracles/wan-i2v/model.safetensors.zst")
    let text = Self.refusal { $0.model.highNoise = other }
    #expect(text.hasPrefix("\(other): '--dit_high_noise': expected a network with"), "\(text)")
  }

  /// What is made of the weights of one network would replace those of the other.
  @Test(arguments: [("algo=full", "'algo=full'"), ("dora_wd=True", "'dora_wd=True'")])
  func refusesWhatIsOfOneNetwork(argument: String, says: String) {
    let text = Self.refusal {
      $0.network.flags.module = "lycoris.kohya"
      $0.network.arguments = [argument]
      $0.model.highNoise = Self.weights
    }
    #expect(text.hasPrefix("'--dit_high_noise': \(says)"), "\(text)")
  }

  // MARK: Formats

  /// `--fp8_base` is a base of 8 bits to the network, as `--base_weights_dtype int8` is.
  @Test(arguments: ["algo=full", "dora_wd=True", "bypass_mode=False"])
  func eightBitsByEitherName(argument: String) {
    let texts = [\ModelSettings.asksFP8, \.holdsInt8].map { path in
      Self.refusal {
        $0.network.flags.module = "lycoris.kohya"
        $0.network.arguments = [argument]
        $0.model[keyPath: path] = true
      }
    }
    #expect(texts[0].contains("a base of 8 bits"), "\(texts[0])")
    #expect(texts[0] == texts[1])
  }

  /// A checkpoint in 16 bits is held in as many; f32 would take twice its file.
  @Test(arguments: [DType.f16, .bf16]) func narrowFiles(_ dtype: DType) throws {
    let folder = TemporaryFolder()
    let file = try TensorFile(opening: Self.weights)
    let path = try folder.write(
      "model.safetensors",
      file.tensors.reduce(into: [:]) { result, entry in
        result[entry.key] = EncodedTensor(entry.value.tensor(), as: dtype)
      })
    let plan = try Self.plan(path, in: folder)
    #expect(plan.configuration.model.compute == .bf16)
    let notice =
      "weights are held in bf16, as the checkpoint has them in \(dtype): '--dit_dtype float32' has them in f32"
    #expect(plan.notices.contains(notice), "\(plan.notices)")
    let wide = try Self.plan(path, in: folder) { $0.model.transformerCompute = .f32 }
    #expect(wide.configuration.model.compute == .f32)
    #expect(!wide.notices.contains { $0.hasPrefix("weights are held") })
  }

  @Test func formatsThatDisagree() throws {
    let folder = TemporaryFolder()
    let plan = try Self.plan(in: folder) {
      $0.model.compute = .bf16
      $0.precision = "bf16"
      $0.model.transformerCompute = .f32
    }
    #expect(plan.configuration.model.compute == .bf16)
    #expect(
      plan.notices.contains(
        "'--dit_dtype float32' has no effect: '--mixed_precision bf16' has the weights held in bf16"
      ), "\(plan.notices)")
    var run = try SmallRun()
    defer { run.remove() }
    run.configuration.model.transformerCompute = .f32
    let notices = try TrainingPlan(run.configuration).notices
    #expect(notices.contains { $0.hasPrefix("'--dit_dtype' has no effect") }, "\(notices)")
  }

  /// One line for what belongs to pictures and captions.
  @Test func optionsOfWhatComesEncoded() throws {
    let folder = TemporaryFolder()
    let plan = try Self.plan(in: folder) {
      $0.model.vae = "vae.safetensors"
      $0.model.weighsCaptions = true
      $0.model.maxTokenLength = 225
      $0.cache.batchSize = 4
      $0.rates.textEncoders = [1e-5]
      $0.images.priorLossWeight = 0.5
      $0.images.values.keepTokens = 2
    }
    let encoded = "no effect: latents and captions come encoded"
    let text = plan.notices.filter { $0.hasSuffix(encoded) }.joined(separator: "\n")
    for option in [
      "vae", "vae_batch_size", "weighted_captions", "max_token_length", "text_encoder_lr",
      "prior_loss_weight", "keep_tokens",
    ] {
      #expect(text.contains("'--\(option)'"), "\(option): \(text)")
    }
    let none = try Self.plan(in: folder).notices
    #expect(!none.contains { $0.hasSuffix(encoded) }, "\(none)")
  }

  // MARK: Memory

  /// LoHa forms both of its products and ΔW of every layer, in f32: three numbers for each of the weight, however large
  /// a batch is. LoRA forms nothing.
  @Test(arguments: [false, true]) func formedWeights(checkpointing: Bool) throws {
    let folder = TemporaryFolder()
    func plan(_ module: String, _ arguments: [String] = []) throws -> TrainingPlan {
      try Self.plan(in: folder) {
        $0.network.flags.module = module
        $0.network.arguments = arguments
        $0.run.checkpointsBlocks = checkpointing
      }
    }
    let (loha, lora) = (try plan("networks.loha"), try plan("networks.lora_wan"))
    #expect(loha.network.modules.map(\.module.path) == lora.network.modules.map(\.module.path))
    var weights: [Substring: Int] = [:]
    for module in loha.network.modules {
      // `blocks.0`
      let block = module.module.path.split(separator: ".").prefix(2).joined(separator: ".")
      weights[Substring(block), default: 0] += module.module.shape.count
    }
    let formed = checkpointing ? weights.values.max() ?? 0 : weights.values.reduce(0, +)
    #expect(formed > 0)
    // A quarter more passes through; whole bytes are left.
    let difference = loha.estimate.kept - lora.estimate.kept
    #expect(abs(difference - 3 * 4 * formed * 5 / 4) <= 1, "\(difference) of \(formed)")
    // Of LoKr factors are applied to activations where that takes less, or where it is asked for.
    let lokr = try plan("lycoris.kohya", ["algo=lokr", "bypass_mode=True"])
    let whole = try plan("lycoris.kohya", ["algo=lokr", "bypass_mode=False"])
    #expect(lokr.estimate.kept < whole.estimate.kept)
  }

  // MARK: Going on

  /// Networks and formats are those of the state, or it is another run; times may be others, which is said.
  @Test func resumes() throws {
    let folder = TemporaryFolder()
    let first = try Self.configuration(in: folder) {
      $0.output.savesStateAtEnd = true
      $0.flow.sampling = .shift
      $0.flow.shift = 3
    }
    _ = try TrainingPlan(first).train(observer: TrainingObserver())
    func plan(_ change: (inout TrainingConfiguration) -> Void) throws -> TrainingPlan {
      var rest = first
      rest.run.steps = 2
      rest.run.resumed = folder.file("out/a-state")
      change(&rest)
      return try TrainingPlan(rest)
    }
    func notices(_ change: (inout TrainingConfiguration) -> Void) throws -> [String] {
      try plan(change).notices.filter { $0.hasPrefix("'--resume'") }
    }
    #expect(try notices { _ in }.isEmpty)
    #expect(
      try notices {
        $0.flow.shift = 5
        $0.flow.bucketCount = 4
        $0.firstTimestep = 200
        $0.model.guidance = 2
      } == [
        "'--resume': the state was saved with discrete_flow_shift 3.0, guidance_scale not given, min_timestep not "
          + "given, num_timestep_buckets not given; what is given now counts from here on: discrete_flow_shift 5.0, "
          + "guidance_scale 2.0, min_timestep 200, num_timestep_buckets 4"
      ])
    let eight = message { _ = try plan { $0.model.asksFP8 = true } }
    #expect(eight.contains("'--base_weights_dtype' was not given when"), "\(eight)")
    let two = message { _ = try plan { $0.model.highNoise = Self.weights } }
    #expect(two.contains("'--dit_high_noise' was not given when"), "\(two)")
  }
}
