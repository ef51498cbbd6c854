import Checkpoints
import Foundation
import ModelFamilies
import OrderedCollections
import Pipelines
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Training

@Suite(.serialized) struct TrainerTests {
  /// Latents are scaled as the configuration of the VAE says.
  @Test func scalesLatentsAsTheVAESays() throws {
    var run = try SmallRun("plain")
    defer { run.remove() }
    run.configuration.run.steps = 1
    let plain = try TrainingPlan(run.configuration)
    #expect(plain.outline.latents.scale == 0.18215)
    _ = try plain.train(observer: TrainingObserver())

    let base = run.folder.appending("pipeline")
    try FileManager.default.copyItem(
      atPath: run.configuration.model.base.string, toPath: base.string)
    let path = base.appending("vae/config.json").string
    let text = try String(contentsOfFile: path, encoding: .utf8)
    let changed = text.replacingOccurrences(
      of: "\"scaling_factor\": 0.18215", with: "\"scaling_factor\": 0.5")
    #expect(changed != text)
    try changed.write(toFile: path, atomically: true, encoding: .utf8)
    run.configuration.model.base = base
    run.configuration.output.name = "scaled"
    let scaled = try TrainingPlan(run.configuration)
    #expect(scaled.outline.latents.scale == 0.5)
    _ = try scaled.train(observer: TrainingObserver())
    #expect(try run.adapter("scaled") != run.adapter("plain"))
  }

  /// As in sd-scripts, `--save_n_epoch_ratio` counts before `--save_every_n_epochs`.
  @Test func theRatioOfEpochsCounts() throws {
    var run = try SmallRun("ratio")
    defer { run.remove() }
    run.configuration.run.epochs = 2
    run.configuration.output.everyEpochs = 1
    run.configuration.output.epochRatio = 1
    _ = try run.run()
    let files = try FileManager.default.contentsOfDirectory(atPath: run.folder.string)
    #expect(files == ["ratio.safetensors"])
  }

  /// What is computed does not depend on how many threads compute it.
  @Test(arguments: ["lora", "loha", "diag-oft"])
  func oneThreadOrTwo(algorithm: String) throws {
    var run = try SmallRun("one")
    defer { run.remove() }
    run.set("algo=\(algorithm)", "conv_dim=2")
    run.configuration.run.steps = 2
    _ = try run.run()
    run.configuration.output.name = "two"
    run.configuration.run.threads = 2
    _ = try run.run()
    #expect(try run.adapter("one") == run.adapter("two"))
  }

  /// Blocks that are computed twice give the gradients of those that are kept, dropout included: to
  /// rounding, because sums of three gradients are formed in another order. A rate of plain descent passes
  /// the difference on as it is.
  @Test func checkpointing() throws {
    var run = try SmallRun("kept")
    defer { run.remove() }
    run.set("rank_dropout=0.5")
    run.configuration.optimizer = "SGDNesterov"
    run.configuration.rates.common = 1e-1
    run.configuration.run.steps = 2
    _ = try run.run()
    run.configuration.output.name = "twice"
    run.configuration.run.checkpointsBlocks = true
    _ = try run.run()
    let files = try ["kept", "twice"].map {
      try TensorFile(opening: run.folder.appending("\($0).safetensors"))
    }
    // Of all that started at zero together: some gradients are rounding alone.
    var (error, norm) = (0.0, 0.0)
    for (name, view) in files[0].tensors where name.hasSuffix("lora_up.weight") {
      let other = try #require(files[1].tensors[name])
      error += other.tensor().squaredDistance(to: view.tensor())
      norm += view.tensor().sumOfSquares
    }
    let relative = (error / norm).squareRoot()
    #expect(norm > 0 && relative < 1e-5, "off by \(relative)")
  }

  /// Kohya's names of files, what is removed again, logs, and what the adapter says of itself.
  @Test func whatIsWritten() throws {
    var run = try SmallRun("style")
    defer { run.remove() }
    run.configuration.run.steps = 100
    run.configuration.run.epochs = 3
    run.configuration.output.everyEpochs = 1
    run.configuration.output.lastEpochs = 1
    run.configuration.output.table = run.folder.appending("log.csv")
    run.configuration.images.values.validationSplit = 0.3
    run.configuration.images.values.batchSize = 2
    // The end of the second epoch is a step that is saved as well.
    let perEpoch = try TrainingPlan(run.configuration).arithmetic.stepsPerEpoch
    run.configuration.output.everySteps = 2 * perEpoch
    let report = try run.run()
    #expect(report.epochs == 3)
    #expect(report.validationLoss?.isFinite == true)
    let files = try FileManager.default.contentsOfDirectory(atPath: run.folder.string).sorted()
    let numbered = SaveNames(folder: run.folder, name: "style").adapter(.step(2 * perEpoch))
    #expect(
      files == [
        "log.csv", "style-000002.safetensors", numbered.lastComponent?.string,
        "style.safetensors",
      ])
    let lines = try String(contentsOfFile: run.folder.appending("log.csv").string, encoding: .utf8)
      .split(separator: "\n")
    #expect(lines.count > report.steps + 3)
    let file = try AdapterFile(opening: run.folder.appending("style.safetensors"))
    #expect(file.unrecognized.isEmpty)
    let metadata = file.file.metadata
    for (key, value) in [
      "ss_network_module": "lycoris.kohya", "ss_network_dim": "2", "ss_network_alpha": "1.0",
      "ss_base_model_version": "sd_v1", "ss_epoch": "3", "ss_steps": "\(report.steps)",
      "ss_seed": "7", "ss_output_name": "style", "ss_v2": "False",
      "ss_sd_scripts_commit_hash": "(unknown)", "ss_num_epochs": "3",
      "modelspec.architecture": "stable-diffusion-v1/lora", "modelspec.title": "style",
      "modelspec.resolution": "32x32", "modelspec.prediction_type": "epsilon",
    ] {
      #expect(metadata[key] == value, "\(key)")
    }
    #expect(metadata["sshs_model_hash"]?.count == 64)
  }

  /// Every key of sd-scripts' train_network.py (48d368f) for a folder of images, but for the revision of its
  /// repository, and the values that it would have written.
  @Test func metadataOfSDScripts() throws {
    var run = try SmallRun()
    defer { run.remove() }
    run.configuration.run.steps = 1
    run.configuration.optimizerArguments = ["weight_decay=0.10", "betas=0.9,0.99", "eps=1e-08"]
    run.configuration.network.arguments.append("use_cp=True")
    run.configuration.precision = "fp16"
    run.configuration.output.writer = "lyco/1"
    run.configuration.schedule.name = "cosine"
    run.configuration.schedule.warmup = 0.5
    run.configuration.images.values.captionDropoutRate = 0.05
    _ = try run.run()
    let path = run.folder.appending("adapter.safetensors")
    let metadata = try TensorFile(opening: path).metadata
    let keys = """
      session_id training_started_at output_name learning_rate text_encoder_lr unet_lr num_train_images \
      num_validation_images num_reg_images num_batches_per_epoch num_epochs gradient_checkpointing \
      gradient_accumulation_steps max_train_steps lr_warmup_steps lr_scheduler network_module network_dim \
      network_alpha network_dropout mixed_precision full_fp16 v2 base_model_version clip_skip \
      max_token_length cache_latents seed lowram noise_offset multires_noise_iterations \
      multires_noise_discount adaptive_noise_scale zero_terminal_snr training_comment optimizer \
      max_grad_norm caption_dropout_rate caption_dropout_every_n_epochs caption_tag_dropout_rate \
      face_crop_aug_range prior_loss_weight min_snr_gamma scale_weight_norms ip_noise_gamma \
      debiased_estimation noise_offset_random_strength ip_noise_gamma_random_strength loss_type \
      huber_schedule huber_scale huber_c fp8_base fp8_base_unet validation_seed validation_split \
      max_validation_steps validate_every_n_epochs validate_every_n_steps resize_interpolation \
      batch_size_per_device total_batch_size resolution color_aug flip_aug random_crop shuffle_caption \
      enable_bucket bucket_no_upscale min_bucket_reso max_bucket_reso keep_tokens dataset_dirs \
      reg_dataset_dirs tag_frequency bucket_info network_args sd_model_hash new_sd_model_hash \
      sd_model_name training_finished_at steps epoch
      """.split(separator: " ").map { "ss_" + $0.trimmingCharacters(in: .whitespacesAndNewlines) }
    #expect(keys.filter { metadata[$0] == nil } == [])
    for (key, value) in [
      "ss_optimizer": "torch.optim.adamw.AdamW(weight_decay=0.1,betas=(0.9, 0.99),eps=1e-08)",
      "ss_mixed_precision": "fp16", "ss_lr_warmup_steps": "0.5", "ss_caption_dropout_rate": "0.05",
      "ss_caption_dropout_every_n_epochs": "0", "ss_caption_tag_dropout_rate": "0.0",
      "ss_face_crop_aug_range": "None", "ss_resize_interpolation": "None",
      "ss_validation_split": "0.0", "ss_sd_model_hash": "IsADirectory",
      "ss_new_sd_model_hash": "IsADirectory", "modelspec.implementation": "diffusers",
      "modelspec.implementation_version": "lyco/1",
    ] {
      #expect(metadata[key] == value, "\(key)")
    }
    #expect(metadata["ss_session_id"] != metadata["ss_seed"])
    let arguments = try #require(metadata["ss_network_args"])
    #expect(arguments.hasSuffix("\"use_cp\": \"True\", \"dropout\": null}"), "\(arguments)")
  }

  /// sd-scripts saves the last step too where its number asks for it, and counts it among those that are kept.
  @Test func keepsTheLastSteps() throws {
    var run = try SmallRun("kept")
    defer { run.remove() }
    run.configuration.run.steps = 6
    run.configuration.output.everySteps = 2
    run.configuration.output.lastSteps = 2
    run.configuration.output.savesState = true
    _ = try run.run()
    let files = try FileManager.default.contentsOfDirectory(atPath: run.folder.string).sorted()
    #expect(
      files == [
        "kept-state", "kept-step00000004-state", "kept-step00000004.safetensors",
        "kept-step00000006-state", "kept-step00000006.safetensors", "kept.safetensors",
      ])
    let last = try TensorFile(opening: run.folder.appending("kept-step00000006.safetensors"))
    #expect(last.metadata["ss_steps"] == "6" && last.metadata["ss_epoch"] == "0")
    // The end says how many epochs were planned, complete or not.
    let end = try TensorFile(opening: run.folder.appending("kept.safetensors"))
    #expect(end.metadata["ss_epoch"] == end.metadata["ss_num_epochs"])
  }

  /// Every validation that is told stands in the table, that at the end included.
  @Test(
    arguments: [
      (4, 2, nil, 2), (5, 2, nil, 3), (nil, nil, 1, 2), (nil, nil, 2, 1),
    ] as [(Int?, Int?, Int?, Int)])
  func validationsAreLogged(steps: Int?, bySteps: Int?, byEpochs: Int?, expected: Int) throws {
    var run = try SmallRun()
    defer { run.remove() }
    run.configuration.run.steps = steps ?? 1
    run.configuration.run.epochs = steps == nil ? 2 : nil
    run.configuration.run.validationSteps = bySteps
    run.configuration.run.validationEpochs = byEpochs
    run.configuration.output.table = run.folder.appending("log.csv")
    run.configuration.images.values.validationSplit = 0.3
    var told: [Double] = []
    var observer = TrainingObserver()
    observer.validated = { told.append($1) }
    let report = try TrainingPlan(run.configuration).train(observer: observer)
    let rows = try String(
      contentsOfFile: run.folder.appending("log.csv").string, encoding: .utf8
    ).split(separator: "\n").map { $0.split(separator: ",", omittingEmptySubsequences: false) }
    let tag = bySteps == nil ? "loss/validation/epoch_average" : "loss/validation/step_average"
    let column = try #require(rows[0].firstIndex { $0 == tag })
    #expect(rows.dropFirst().compactMap { Double($0[column]) } == told)
    #expect(told.count == expected && report.validationLoss == told.last)
  }

  /// Weights change what is learned; a caption without any is read as ever.
  @Test func weightedCaptions() throws {
    var run = try SmallRun("plain")
    defer { run.remove() }
    run.configuration.run.steps = 1
    run.configuration.images.values.classTokens = "a (thing:1.5)"
    _ = try run.run()
    var weighted = run
    weighted.configuration.output.name = "weighted"
    weighted.configuration.model.weighsCaptions = true
    _ = try weighted.run()
    #expect(try weighted.adapter() != run.adapter())
    run.configuration.images.values.classTokens = "a thing"
    _ = try run.run()
    weighted.configuration.images.values.classTokens = "a thing"
    _ = try weighted.run()
    #expect(try weighted.adapter() == run.adapter())
  }

  /// What an optimizer cannot do is refused by the plan, before a model is loaded.
  @Test(arguments: ["Prodigy", "DAdaptAdam", "DAdaptLion", "DAdaptSGD"])
  func plansRefuseSeveralRates(optimizer: String) throws {
    var run = try SmallRun()
    defer { run.remove() }
    run.configuration.optimizer = optimizer
    run.configuration.rates.common = 1
    _ = try TrainingPlan(run.configuration)
    run.configuration.rates.textEncoders = [0.5]
    #expect(throws: SettingError.self) { try TrainingPlan(run.configuration) }
    run.configuration.rates.textEncoders = []
    run.set("loraplus_lr_ratio=4")
    #expect(throws: SettingError.self) { try TrainingPlan(run.configuration) }
  }

  /// Algorithms without a bound of norms are named at the start.
  @Test(arguments: ["full", "glora", "ia3", "lora"])
  func normsWithoutABoundAreTold(algorithm: String) throws {
    var run = try SmallRun()
    defer { run.remove() }
    run.configuration.network.normLimit = 1
    run.set("algo=\(algorithm)")
    let told = try TrainingPlan(run.configuration).notices.contains {
      $0.contains("'--scale_weight_norms' does not bound")
    }
    #expect(told == (algorithm != "lora"))
  }

  /// A rate that makes numbers overflow is told with its step, layer and image; nothing is written.
  @Test func stopsWhereNumbersEnd() throws {
    var run = try SmallRun()
    defer { run.remove() }
    run.configuration.optimizer = "SGDNesterov"
    run.configuration.rates.common = 1e38
    run.configuration.run.largestGradient = 0
    let error = #expect(throws: TrainingError.self) { try run.run() }
    guard case .notFinite(_, let step, _, _) = error else {
      Issue.record("found \(error as Any)")
      return
    }
    #expect(step > 1)
    #expect(try FileManager.default.contentsOfDirectory(atPath: run.folder.string).isEmpty)
  }
}
