import Autograd
import Checkpoints
import FoundationEssentials
import Images
package import Machine
package import ModelFamilies
import Pipelines

/// What a trained adapter says about itself, in the words of kohya's scripts: `ss_*` for the settings,
/// `modelspec.*` for what loaders show. `sshs_*` are added where it is written.
///
/// Source: sd-scripts `train_network.py`, `library/sai_model_spec.py`; musubi-tuner `training/trainer_base.py`,
/// `utils/sai_model_spec.py`, for families that it trains.
package struct TrainingMetadata: Sendable {
  /// Settings that do not change while training.
  private let settings: [String: String]
  /// Files whose hashes are among them.
  private let hashes: [HashedFile]
  private let description: [String: String]
  private let omits: Bool

  /// A file with the name of its short hash; that of the whole one begins with `new_`.
  package struct HashedFile: Sendable {
    package let name: String
    /// nil for a file that cannot be read.
    package let hash: Later<CheckpointHash?>

    package init(name: String, hash: Later<CheckpointHash?>) {
      (self.name, self.hash) = (name, hash)
    }
  }

  /// Kept where a user wants no metadata, because loaders go by them.
  private static let least: Set<String> = [
    "ss_v2", "ss_base_model_version", "ss_network_module", "ss_network_dim", "ss_network_alpha",
    "ss_network_args",
  ]

  /// The settings that musubi-tuner writes.
  private static let musubi: Set<String> = [
    "session_id", "training_started_at", "output_name", "learning_rate", "num_train_items",
    "num_batches_per_epoch", "num_epochs", "gradient_checkpointing",
    "gradient_checkpointing_cpu_offload", "gradient_accumulation_steps", "max_train_steps",
    "lr_warmup_steps", "lr_scheduler", "base_model_version", "network_module", "network_dim",
    "network_alpha", "network_dropout", "network_args", "mixed_precision", "seed",
    "training_comment", "optimizer", "max_grad_norm", "fp8_base", "full_fp16", "full_bf16",
    "weighting_scheme", "logit_mean", "logit_std", "mode_scale", "guidance_scale",
    "timestep_sampling", "sigmoid_scale", "discrete_flow_shift", "datasets", "sd_model_name",
    "vae_name",
  ]

  /// - Parameters:
  ///   - settings: under their names without `ss_`.
  ///   - variant: of the family, by the name in its file.
  ///   - resolution: `512x512`, of the first dataset.
  package init(
    _ settings: [String: PythonText], hashes: [HashedFile] = [],
    of configuration: TrainingConfiguration, seed: UInt64,
    family: ModelFamily, variant: String?, resolution: String?, steps: StepArithmetic,
    timesteps: ClosedRange<Int>?,
    startedAt: Double
  ) {
    let (model, network) = (configuration.model, configuration.network)
    let (run, output, images) = (
      configuration.run, configuration.output, configuration.images.values
    )
    var facts = FamilyMetadata(of: family, variant: variant)
    if configuration.loss.predictsVelocity { facts = facts?.variant(FamilyMetadata.velocity) }
    var all: [String: PythonText] = [
      // Tells runs of one seed apart.
      "session_id": PythonText(UInt64.random(in: 0...4_294_967_296)),
      "training_started_at": PythonText(startedAt),
      "output_name": PythonText(output.name),
      "learning_rate": PythonText(configuration.rates.common),
      "text_encoder_lr": PythonText(configuration.rates.textEncoders),
      "unet_lr": PythonText(configuration.rates.unet),
      "num_batches_per_epoch": PythonText(steps.batchesPerEpoch),
      "num_epochs": PythonText(steps.epochs),
      "gradient_checkpointing": PythonText(run.checkpointsBlocks),
      "gradient_accumulation_steps": PythonText(run.accumulation),
      "max_train_steps": PythonText(steps.steps),
      "network_module": PythonText(network.flags.module),
      "network_dim": PythonText(network.flags.rank),
      "network_alpha": PythonText(network.flags.alpha),
      "network_dropout": PythonText(network.flags.dropout),
      "mixed_precision": PythonText(configuration.precision),
      "full_fp16": "False", "fp8_base": PythonText(model.asksFP8), "fp8_base_unet": "False",
      "lowram": "False",
      "v2": PythonText(facts?.isV2 ?? false),
      // sd-scripts' own word where it was not run from its repository.
      "sd_scripts_commit_hash": "(unknown)",
      "base_model_version": PythonText(facts?.baseModelVersion),
      "clip_skip": PythonText(model.clipSkip),
      "max_token_length": PythonText(model.maxTokenLength == 75 ? nil : model.maxTokenLength),
      "seed": PythonText(seed),
      "training_comment": PythonText(output.comment),
      "max_grad_norm": PythonText(run.largestGradient),
      "prior_loss_weight": PythonText(configuration.images.priorLossWeight),
      "scale_weight_norms": PythonText(network.normLimit),
      "caption_dropout_rate": PythonText(images.captionDropoutRate ?? 0),
      "caption_dropout_every_n_epochs": PythonText(images.captionDropoutEveryNEpochs ?? 0),
      "caption_tag_dropout_rate": PythonText(images.captionTagDropoutRate ?? 0),
      "face_crop_aug_range": PythonText(String?.none),
      "resize_interpolation": PythonText(images.resizeInterpolation?.rawValue),
      "validation_split": PythonText(images.validationSplit ?? 0),
      "validation_seed": PythonText(run.validationSeed),
      "max_validation_steps": PythonText(run.mostValidationBatches),
      "validate_every_n_epochs": PythonText(run.validationEpochs),
      "validate_every_n_steps": PythonText(run.validationSteps),
    ]
    all.merge(settings) { $1 }
    self.hashes = hashes
    let isOfMusubi = facts?.trainer == .musubi
    var ofFlow = configuration.flow.metadata
    ofFlow["guidance_scale"] = PythonText(model.guidance ?? configuration.flow.rules.guidance)
    if !isOfMusubi, let facts {
      ofFlow["model_type"] = PythonText(facts.modelType)
      ofFlow["model_prediction_type"] = PythonText(configuration.flow.prediction.rawValue)
      ofFlow["apply_lg_attn_mask"] = PythonText(model.appliesCLIPMask)
      ofFlow["apply_t5_attn_mask"] = PythonText(model.appliesT5Mask)
      all.merge(ofFlow.filter { facts.settings.contains($0.key) }) { $1 }
    }
    if isOfMusubi {
      all.merge(ofFlow) { $1 }
      for name in ["full_bf16", "gradient_checkpointing_cpu_offload"] { all[name] = "False" }
      all = all.filter { Self.musubi.contains($0.key) }
    }
    // How many steps there are is counted anew.
    for (name, text) in configuration.spellings where all[name] != nil && name != "max_train_steps"
    {
      all[name] = PythonText(text)
    }
    self.settings = Dictionary(
      uniqueKeysWithValues: all.map { ("ss_" + $0.key, $0.value.text) })
    var description = [
      "sai_model_spec": isOfMusubi ? "1.0.0" : "1.0.1",
      "title": output.description["title"] ?? output.name,
      "architecture": (facts?.architecture ?? family.name) + "/lora",
      "implementation": facts?.trainedImplementation ?? "",
      "implementation_version": output.writer,
      // Sizes of a dataset of videos say little of the model.
      "resolution": (isOfMusubi ? nil : resolution) ?? facts?.resolution ?? "512x512",
    ]
    if !isOfMusubi, facts?.statesPrediction ?? true {
      description["prediction_type"] = configuration.loss.predictsVelocity ? "v" : "epsilon"
    }
    if let timesteps {
      description["timestep_range"] = "\(timesteps.lowerBound),\(timesteps.upperBound)"
    }
    if let clipSkip = model.clipSkip { description["encoder_layer"] = "\(clipSkip)" }
    description.merge(output.description) { $1 }
    self.description = description
    omits = output.omitsMetadata
  }

  /// Of an adapter written now.
  package func text(epoch: Int, step: Int, at time: Double) -> [String: String] {
    var result = settings
    for file in hashes {
      guard let hash = file.hash.value else { continue }
      result["ss_" + file.name] = hash.short
      result["ss_new_" + file.name] = hash.whole
    }
    result["ss_steps"] = "\(step)"
    result["ss_epoch"] = "\(epoch)"
    result["ss_training_finished_at"] = PythonText(time).text
    if omits { result = result.filter { Self.least.contains($0.key) } }
    for (key, value) in description { result["modelspec." + key] = value }
    result["modelspec.date"] = Date(timeIntervalSince1970: time.rounded(.down))
      .formatted(.iso8601.dateTimeSeparator(.standard)).replacing("Z", with: "")
    return result
  }
}
