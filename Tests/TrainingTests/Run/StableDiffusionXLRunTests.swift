import Foundation
import LinearAlgebra
import ModelFamilies
import OrderedCollections
import Pipelines
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Training

/// Runs on a tiny SDXL: what is kept, resumed and said.
@Suite(.serialized) struct StableDiffusionXLRunTests {
  private static func run(_ name: String = "adapter") throws -> SmallRun {
    var run = try SmallRun(name, on: .sdxl)
    run.configuration.network.arguments = [
      "include_patterns=[r'middle_block.*', r'text_model.encoder.layers.1.*']",
      "exclude_patterns=[r'.*']",
    ]
    try run.copyImages()
    return run
  }

  @Test func bothEncodersTrainAtRatesOfTheirOwn() throws {
    var run = try Self.run()
    defer { run.remove() }
    run.configuration.rates.textEncoders = [1e-2, 0]
    run.configuration.output.table = run.folder.appending("log.csv")
    _ = try run.run()
    let adapter = try run.adapter()
    func moved(_ prefix: String) -> Bool {
      adapter.contains { key, bytes in
        key.hasPrefix(prefix) && key.hasSuffix("lora_up.weight") && bytes.contains { $0 != 0 }
      }
    }
    #expect(adapter.keys.contains { $0.hasPrefix("lora_te2_") })
    #expect(moved("lora_te1_") && moved("lora_unet_middle_block_") && !moved("lora_te2_"))
    let head = try String(
      decoding: contents(of: run.folder.appending("log.csv")), as: UTF8.self
    ).prefix { $0 != "\n" }
    #expect(head.contains("lr/textencoder 1") && head.contains("lr/unet"), "\(head)")
    let file = try TensorFile(opening: run.folder.appending("adapter.safetensors"))
    #expect(file.metadata["ss_base_model_version"] == "sdxl_base_v1-0")
    #expect(file.metadata["modelspec.architecture"] == "stable-diffusion-xl-v1-base/lora")
    #expect(file.metadata["ss_text_encoder_lr"] == "[0.01, 0.0]")
  }

  /// Kept in memory, in files and not at all: the same adapter. In files that are there, without text encoders.
  @Test func keptTextGivesTheSameBits() throws {
    var run = try Self.run("plain")
    defer { run.remove() }
    run.configuration.network.flags.trainsTextEncoders = false
    run.configuration.images.values.validationSplit = 0.3
    _ = try run.run()
    for (name, caching) in [
      ("memory", TrainingConfiguration.TextCaching.memory), ("made", .disk), ("found", .disk),
    ] {
      run.configuration.output.name = name
      run.configuration.textCaching = caching
      _ = try run.run()
      #expect(try run.adapter(name) == run.adapter("plain"), "\(name)")
    }
    let kept = directoryEntries(run.folder.appending("images")).filter {
      $0.hasSuffix("_te_outputs.npz")
    }
    #expect(kept.count == 4)
    let archive = try NumpyArchive(reading: run.folder.appending("images").appending(kept[0]))
    #expect(archive["hidden_state1"]?.shape == [77, 16])
    #expect(archive["hidden_state2"]?.shape == [77, 32])
    #expect(archive["pool2"]?.shape == [32])
  }

  /// What encoders make that only encode may be kept for good: they are not held in 8 bits, whatever the UNet is.
  @Test func keptTextIsNotOfEightBits() throws {
    var run = try Self.run("plain")
    defer { run.remove() }
    run.configuration.network.flags.trainsTextEncoders = false
    run.configuration.textCaching = .disk
    run.configuration.run.steps = 1
    let images = run.folder.appending("images")
    func kept() throws -> [String: [UInt8]] {
      _ = try run.run()
      var files: [String: [UInt8]] = [:]
      for name in directoryEntries(images) where name.hasSuffix("_te_outputs.npz") {
        files[name] = try contents(of: images.appending(name))
        try FileManager.default.removeItem(atPath: images.appending(name).string)
      }
      return files
    }
    let plain = try kept()
    run.configuration.model.holdsInt8 = true
    #expect(try kept() == plain && plain.count == 4)
    // Nor are they counted so.
    run.configuration.textCaching = .memory
    let bytes = try TrainingPlan(run.configuration).estimate.loaded
    run.configuration.model.holdsInt8 = false
    #expect(try bytes == TrainingPlan(run.configuration).estimate.loaded)
  }

  /// A folder of the UNet alone, where latents and text of all images are on disk.
  @Test func theUNetAloneTrainsFromCaches() throws {
    var run = try Self.run("whole")
    defer { run.remove() }
    run.configuration.network.flags.trainsTextEncoders = false
    run.configuration.cache.place = .disk(.npz)
    run.configuration.textCaching = .disk
    _ = try run.run()
    #expect(
      directoryEntries(run.folder.appending("images")).contains { $0.hasSuffix("_sdxl.npz") })
    let folder = SmallRun.makeFolder()
    defer { removeTree(folder) }
    for part in ["unet", "model_index.json", "scheduler"] {
      try FileManager.default.copyItem(
        atPath: run.configuration.model.base.appending(part).string,
        toPath: folder.appending(part).string)
    }
    run.configuration.model.base = folder
    run.configuration.output.name = "alone"
    _ = try run.run()
    #expect(try run.adapter("alone") == run.adapter("whole"))
    removeTree(run.folder.appending("images").appending("alpha_te_outputs.npz"))
    do {
      _ = try TrainingPlan(run.configuration)
      Issue.record("planned")
    } catch {
      #expect(
        "\(error)".hasSuffix(
          "alpha_te_outputs.npz: expected what the text encoders make of a caption, since the checkpoint has none, "
            + "found none for 1 of 4 images; name a checkpoint with text encoders, or their files by their own options"
        ),
        "\(error)")
    }
  }

  /// Encoders are read before the UNet, and stay where they are asked later.
  @Test func plansCountWhatIsInMemory() throws {
    var run = try Self.run("estimate")
    defer { run.remove() }
    func estimate() throws -> StepEstimate { try TrainingPlan(run.configuration).estimate }
    let adapted = try estimate()
    run.configuration.network.flags.trainsTextEncoders = false
    let plain = try estimate()
    // 77 vectors of 48 numbers for the one caption that all images have.
    let captions = 77 * 48 * 4
    #expect(plain.loaded == adapted.loaded + captions)
    #expect(plain.frozen == adapted.frozen - adapted.loaded + captions)
    run.configuration.images.values.shuffleCaption = true
    let shuffled = try estimate()
    #expect(shuffled.frozen == adapted.frozen && shuffled.loaded == adapted.loaded)
    run.configuration.images.values.shuffleCaption = false
    run.configuration.textCaching = .disk
    let missing = try estimate()
    #expect(missing.frozen == plain.frozen - captions && missing.loaded == adapted.loaded)
    _ = try run.run()
    let found = try estimate()
    #expect(found.frozen == missing.frozen && found.loaded < missing.loaded)
  }

  /// A transformer's blocks are computed again one by one.
  @Test func blocksOfTransformersAreUnits() throws {
    let run = try Self.run()
    defer { run.remove() }
    let units = Set(try TrainingPlan(run.configuration).outline.units.map(\.path))
    let deep = "down_blocks.2.attentions.0"
    #expect(
      units.isSuperset(of: [
        deep, deep + ".transformer_blocks.0", deep + ".transformer_blocks.1",
        "mid_block.attentions.0.transformer_blocks.1", "down_blocks.1.resnets.0",
      ]))
  }

  /// Adapters that are merged first change what the encoders make; so do weights in captions.
  @Test func keptTextKnowsWhatItIsOf() throws {
    var run = try Self.run("text")
    defer { run.remove() }
    _ = try run.run()
    run.configuration.network.flags.trainsTextEncoders = false
    run.configuration.textCaching = .disk
    run.configuration.output.name = "kept"
    _ = try run.run()
    #expect(try TrainingPlan(run.configuration).missingText.isEmpty)
    run.configuration.model.merged = [
      MergedAdapter(run.folder.appending("text.safetensors"), ratio: 0.5)
    ]
    #expect(try !TrainingPlan(run.configuration).missingText.isEmpty)
    run.configuration.model.merged = []
    run.configuration.model.weighsCaptions = true
    #expect(try !TrainingPlan(run.configuration).missingText.isEmpty)
  }

  /// The second encoder alone has the second rate.
  @Test func ratesAreThoseOfTheirEncoder() throws {
    var run = try Self.run()
    defer { run.remove() }
    run.configuration.rates.textEncoders = [1e-5, 5e-6]
    run.configuration.network.flags.trainsUNet = false
    func groups() throws -> [String] {
      let plan = try TrainingPlan(run.configuration)
      return plan.network.rateGroups(
        unet: 1, textEncoders: plan.configuration.rates.textEncoderRates
      ).map { "\($0.name) \($0.rate)" }
    }
    #expect(try groups() == ["textencoder 1 1e-05", "textencoder 2 5e-06"])
    run.configuration.rates.textEncoders = [1e-5]
    #expect(try groups() == ["textencoder 1e-05"])
    // Only the second has a layer of that number.
    run.configuration.network.arguments = [
      "include_patterns=[r'text_projection']", "exclude_patterns=[r'.*']",
      "preset=\(try Self.preset(in: run.folder))",
    ]
    run.configuration.rates.textEncoders = [1e-5, 5e-6]
    #expect(try groups() == ["textencoder 2 5e-06"])
  }

  private static func preset(in folder: FilePath) throws -> String {
    let path = folder.appending("preset.toml").string
    try #"text_encoder_target_name = ["text_projection"]"#.write(
      toFile: path, atomically: true, encoding: .utf8)
    return path
  }

  /// Both encoders trained through blocks that are computed twice: gradients sum up in another order.
  @Test func checkpointedBlocksGiveTheSame() throws {
    var run = try Self.run("plain")
    defer { run.remove() }
    run.configuration.optimizer = "SGDNesterov"
    run.configuration.optimizerArguments = ["momentum=0.9"]
    run.configuration.rates.common = 1e-3
    _ = try run.run()
    run.configuration.run.checkpointsBlocks = true
    run.configuration.output.name = "twice"
    _ = try run.run()
    let (plain, twice) = (
      try TensorFile(opening: run.folder.appending("plain.safetensors")),
      try TensorFile(opening: run.folder.appending("twice.safetensors"))
    )
    var worst = 0.0
    // The last layer of the first encoder makes nothing that is read.
    for (key, view) in plain.tensors
    where key.hasSuffix("lora_up.weight")
      && !key.hasPrefix("lora_te1_text_model_encoder_layers_11_")
    {
      let tensor = view.tensor()
      #expect(tensor.sumOfSquares > 0, "\(key)")
      worst = max(
        worst, relativeError(try #require(twice.tensors[key]).tensor(), tensor))
    }
    print("with and without checkpoints: relative error", worst)
    #expect(worst < 1e-4)
  }

  /// NoobAI's marks change what is trained, and what the adapter says of itself.
  @Test func aMarkedFileTrainsVelocity() throws {
    let folder = TemporaryFolder()
    let source = try TensorFile(opening: TinyPipeline("tiny-sdxl").writeSingleFile(in: folder))
    var tensors: [String: EncodedTensor] = [:]
    for (key, view) in source.tensors { tensors[key] = view.stored }
    for mark in ["v_pred", "ztsnr"] {
      tensors[mark] = EncodedTensor(Tensor([1], [1]), as: .f32)
    }
    let path = try folder.write("noob.safetensors", tensors)
    let unet = TinyPipeline("tiny-sdxl").folder.appending("unet/config.json")
    try folder.write(
      "config.json", text: String(decoding: contents(of: unet), as: UTF8.self))
    var run = try Self.run()
    defer { run.remove() }
    run.configuration.network.flags.trainsTextEncoders = false
    run.configuration.cache.place = .disk(.npz)
    run.configuration.textCaching = .disk
    // Text of the tiny pipeline, whose encoders know all tokens.
    _ = try run.run()
    run.configuration.model.base = path
    // A single file does not say how many groups its autoencoder has.
    run.configuration.model.vae = TinyPipeline("tiny-sdxl").folder.appending("vae")
    run.configuration.cache.isTrusted = true
    let plan = try TrainingPlan(run.configuration)
    #expect(plan.configuration.loss.predictsVelocity && plan.configuration.hasZeroTerminalSNR)
    #expect(plan.notices.count { $0.contains("the checkpoint says") } == 2)
    run.configuration.output.name = "velocity"
    _ = try run.run()
    let file = try TensorFile(opening: run.folder.appending("velocity.safetensors"))
    #expect(file.metadata["modelspec.prediction_type"] == "v")
    #expect(file.metadata["ss_zero_terminal_snr"] == "True")
  }

  @Test func resumesToTheSameBits() throws {
    var run = try Self.run("through")
    defer { run.remove() }
    run.configuration.rates.textEncoders = [1e-2, 5e-3]
    run.configuration.images.values.flipAug = true
    run.configuration.output.everySteps = 2
    run.configuration.output.savesState = true
    _ = try run.run()
    run.configuration.run.resumed = run.folder.appending("through-step00000002-state")
    run.configuration.output.name = "resumed"
    _ = try run.run()
    #expect(try run.adapter("resumed") == run.adapter("through"))
  }

  @Test func whatDoesNotFitIsSaid() throws {
    let run = try Self.run()
    defer { run.remove() }
    func message(_ change: (inout SmallRun) -> Void) -> String {
      var changed = run
      change(&changed)
      do {
        return try TrainingPlan(changed.configuration).notices.joined(separator: "\n")
      } catch { return "\(error)" }
    }
    #expect(
      message { $0.configuration.textCaching = .disk }.contains("add '--network_train_unet_only'"))
    #expect(
      message {
        $0.configuration.textCaching = .memory
        $0.configuration.network.flags.trainsTextEncoders = false
        $0.configuration.images.values.shuffleCaption = true
      }.contains("captions that are shuffled"))
    #expect(
      message {
        $0.configuration.textCaching = .memory
        $0.configuration.network.flags.trainsTextEncoders = false
        $0.configuration.images.values.enableWildcard = true
      }.contains("captions that are shuffled"))
    #expect(
      message { $0.configuration.rates.textEncoders = [1e-3, 1e-4, 1e-5] }.contains(
        "'--text_encoder_lr': Stable Diffusion XL has 2 text encoders: 1e-05 has no effect"))
    #expect(
      message { $0.configuration.model.clipSkip = 2 }.contains(
        "'--clip_skip' has no effect: of Stable Diffusion XL"))
    #expect(
      message {
        $0.configuration.model.supposed = [SupposedFamily([.named("sd2")!], by: "'--v2'")]
      }.contains(
        "'--v2' is for Stable Diffusion 2.x; the checkpoint is Stable Diffusion XL"))
    let sd1 = try SmallRun(on: .sd1)
    defer { sd1.remove() }
    var caching = sd1.configuration
    caching.textCaching = .disk
    #expect(
      try TrainingPlan(caching).notices.contains {
        $0.contains("'--cache_text_encoder_outputs' has no effect")
      })
  }
}
