import Adapters
import Autograd
import Checkpoints
import ModelFamilies
import Pipelines
import Tensors

extension TrainingPlan {
  /// What follows from settings that do not fit each other, the checkpoint or the processor, and is no fault.
  /// - Parameter given: the settings before the checkpoint had its say.
  func notices(on given: TrainingConfiguration) -> [String] {
    var notices: [String] = []
    let run = configuration.run
    if let state, run.initialEpoch != nil || run.initialStep != nil {
      notices.append(
        "'--initial_epoch' and '--initial_step' have no effect with '--resume': the state is after "
          + "epoch \(state.progress.epoch), step \(state.progress.step)")
    }
    notices += [rateNotice, objectiveNotice].compactMap(\.self) + modelNotices
    notices += outline.notices
    notices += familyNotices(on: given)
    notices += scheduleNotices
    if configuration.network.normLimit != nil {
      let unbound = network.modules.filter { $0.algorithm.normLimit == nil }
      if !unbound.isEmpty {
        let names = Set(unbound.map { $0.algorithm.name }).sorted().joined(separator: ", ")
        notices.append(
          "'--scale_weight_norms' does not bound \(unbound.count) of \(network.modules.count) modules: "
            + "LyCORIS has no bound for \(names)")
      }
    }
    notices += storageNotices(on: given)
    if captionBytes == nil, !outline.streamedText.isEmpty {
      notices.append(
        "captions are encoded for every batch, for which a text encoder is read as a whole: "
          + "'--cache_text_encoder_outputs_to_disk' encodes each once")
    }
    if configuration.masksLoss, !images.hasMasks {
      notices.append(
        "'--masked_loss': no image has a mask; masks come from 'conditioning_data_dir' of a subset "
          + "or from '--alpha_mask'")
    }
    if configuration.network.flags.trainsTextEncoders, network.textEncoderCount == 0,
      outline.prepared == nil
    {
      notices.append("no module of the text encoder is trained")
    }
    return notices
  }

  /// What the checkpoint's family makes of settings that were meant for another.
  private func familyNotices(on given: TrainingConfiguration) -> [String] {
    var notices: [String] = []
    let family = base.layout.family
    for supposed in configuration.model.supposed where !supposed.families.contains(family) {
      notices.append(
        "\(supposed.source) is for \(supposed.title); the checkpoint is \(family.title), and is trained as that"
      )
    }
    if outline.prediction == .velocity, !given.loss.predictsVelocity {
      notices.append(
        "the checkpoint says v_prediction: trained as with '--v_parameterization'")
    }
    if outline.prediction == .noise, given.loss.predictsVelocity {
      notices.append(
        "the checkpoint says epsilon, and '--v_parameterization' trains v: what it predicts so far is learned anew"
      )
    }
    if outline.hasZeroTerminalSNR, !given.hasZeroTerminalSNR {
      notices.append(
        "the checkpoint says that its last timestep is noise alone: trained as with '--zero_terminal_snr'"
      )
    }
    notices += objectiveNotices
    let model = given.model
    if model.transformerCompute != nil, !outline.isTransformer {
      notices.append(
        "'--dit_dtype' has no effect: '--mixed_precision' says the format of the weights of \(family.title)"
      )
    }
    let unused =
      (model.asksFP8 && !outline.isTransformer ? ["--fp8_base"] : [])
      + (model.streamedBlocks > 0 && outline.blocks.isEmpty ? ["--blocks_to_swap"] : [])
    if !unused.isEmpty {
      notices.append(
        unused.map { "'\($0)'" }.joined(separator: ", ")
          + (unused.count > 1 ? " have" : " has")
          + " no effect: '--base_weights_dtype int8' is what saves memory with \(family.title)")
    }
    if 1...2 ~= model.streamedBlocks, !outline.blocks.isEmpty {
      notices.append(
        "'--blocks_to_swap \(model.streamedBlocks)' saves no memory: two blocks are always there, the one that is "
          + "computed and the next")
    }
    if configuration.model.clipSkip ?? 1 > 1, outline.skippableTextLayers == nil {
      notices.append(
        "'--clip_skip' has no effect: of \(base.layout.family.title) always the same layers are read"
      )
    }
    let parts = given.textDropout.rates.filter { $0.value > 0 }.keys.sorted()
      .filter { !pipeline.textParts.contains($0) }.map { "'--\($0)_dropout_rate'" }
    if !parts.isEmpty {
      notices.append(
        "\(parts.joined(separator: ", ")) \(parts.count == 1 ? "has" : "have") no effect: \(family.title) has no such "
          + "part of a caption that could be left out by itself")
    }
    let (rates, encoders) = (given.rates.textEncoders, family.textEncoders.count)
    if outline.prepared == nil, rates.count > encoders,
      Set(rates.dropFirst(max(encoders - 1, 0))).count > 1
    {
      let left = rates.dropFirst(encoders).map { "\($0)" }.joined(separator: " ")
      notices.append(
        "'--text_encoder_lr': \(family.title) has \(encoders == 1 ? "one text encoder" : "\(encoders) text encoders"): "
          + "\(left) has no effect")
    }
    if outline.prepared != nil {
      let flags = [
        ("--cache_latents", given.cache.place != nil),
        ("--cache_text_encoder_outputs", given.textCaching != .none),
        ("--vae", model.vae != nil), ("--vae_batch_size", given.cache.batchSize != 1),
        ("--weighted_captions", model.weighsCaptions),
        ("--max_token_length", model.maxTokenLength != 75),
        ("--text_encoder_lr", !given.rates.textEncoders.isEmpty),
        ("--prior_loss_weight", given.images.priorLossWeight != 1),
      ].filter(\.1).map { "'\($0.0)'" }
      if !flags.isEmpty {
        notices.append(
          "\(flags.joined(separator: ", ")) \(flags.count == 1 ? "has" : "have") no effect: latents and captions "
            + "come encoded")
      }
    } else if given.textCaching != .none, configuration.textCaching == .none {
      notices.append(
        "'--cache_text_encoder_outputs' has no effect: there are no such files for \(family.title); what its text "
          + "encoder makes of captions is kept in memory, up to 1 GiB")
    }
    return notices
  }

  /// Settings of the other way to learn.
  private var objectiveNotices: [String] {
    let (noise, loss, flow) = (configuration.noise, configuration.loss, configuration.flow)
    var (names, reason) = ([String](), "")
    if case .flow = outline.prediction {
      reason = "finds the flow from latents to noise, which has no schedule of noise"
      names += noise.offset == nil ? [] : ["--noise_offset"]
      names += noise.multiresIterations == nil ? [] : ["--multires_noise_iterations"]
      names += noise.inputPerturbation == nil ? [] : ["--ip_noise_gamma"]
      names += loss.minSNRGamma == nil ? [] : ["--min_snr_gamma"]
      names += loss.isDebiased ? ["--debiased_estimation_loss"] : []
      names += loss.velocityLike == nil ? [] : ["--v_pred_like_loss"]
      names += configuration.hasZeroTerminalSNR ? ["--zero_terminal_snr"] : []
    } else if flow != FlowSettings() {
      reason = "has a schedule of noise; these belong to models that find a flow"
      names = ["--timestep_sampling", "--weighting_scheme", "and what goes with them"]
    }
    var notices: [String] = []
    if configuration.model.guidance != nil, !outline.takesGuidance {
      notices.append("'--guidance_scale' has no effect: \(base.layout.family.title) is told none")
    }
    if case .flow = outline.prediction { notices += flowNotices }
    guard !names.isEmpty else { return notices }
    return notices + [
      "\(names.map { $0.hasPrefix("-") ? "'\($0)'" : $0 }.joined(separator: ", ")) have no effect: "
        + "\(base.layout.family.title) \(reason)"
    ]
  }

  /// Where the rules of the family's trainer are not what its options let expect.
  private var flowNotices: [String] {
    var notices: [String] = []
    let flow = configuration.flow
    let hasRange = configuration.firstTimestep != nil || configuration.lastTimestep != nil
    let range =
      "'--min_timestep', '--max_timestep': 0 is no noise here, as with all ways of sampling"
    switch flow.rules.steps {
    case .even where flow.sampling == .sigma:
      if hasRange { notices.append("\(range); musubi-tuner counts from the noise with 'sigma'") }
      if flow.hasOwnShift {
        notices.append(
          "'--discrete_flow_shift' has no effect with '--timestep_sampling sigma', as in musubi-tuner: 'shift' is what "
            + "it belongs to")
      }
    case .shifted where hasRange:
      notices.append("\(range); sd-scripts does not read them with this model")
    default: break
    }
    if flow.rules.steps != .dense, flow.trainingShift != 1 {
      notices.append(
        "'--training_shift' has no effect on \(base.layout.family.title): '--discrete_flow_shift' is its shift"
      )
    }
    if flow.rules.compared == .latents, flow.prediction != .raw {
      notices.append(
        "'--model_prediction_type' has no effect: \(base.layout.family.title) has its flow compared alone"
      )
    } else if flow.prediction != .raw {
      notices.append(
        "'--model_prediction_type \(flow.prediction.rawValue)': what is aimed at is then not the flow that the model "
          + "was trained for; 'raw' is")
    }
    if !flow.weighsLoss, [.cosmap, .sigmaSqrt].contains(flow.weighting) {
      notices.append(
        "'--weighting_scheme \(flow.weighting.rawValue)' has no effect, as in sd-scripts: the loss is weighed with "
          + "'--model_prediction_type sigma_scaled' alone")
    }
    return notices
  }

  private var scheduleNotices: [String] {
    var notices: [String] = []
    if optimizer.optimizer.schedulesItself,
      configuration.schedule.type.map({ !$0.isEmpty }) ?? false
        || !["constant", "adafactor"].contains(configuration.schedule.name.prefix { $0 != ":" })
    {
      notices.append(
        "'--lr_scheduler' has no effect: the optimizer has a schedule of its own")
    }
    if schedule.warmup > arithmetic.steps {
      notices.append(
        "'--lr_warmup_steps': the run ends at \(arithmetic.steps) of the \(schedule.warmup) steps over which its "
          + "rates rise")
    }
    return notices
  }

  private func storageNotices(on given: TrainingConfiguration) -> [String] {
    var notices: [String] = []
    let onDisk = [
      ("--cache_latents_to_disk", given.cache.place?.isDisk ?? false),
      ("--cache_text_encoder_outputs_to_disk", given.textCaching == .disk),
    ].filter(\.1).map { "'\($0.0)'" }
    if images.isDrawn, !onDisk.isEmpty {
      notices.append(
        "\(onDisk.joined(separator: ", ")): what the teacher draws is kept in memory, there are no files beside which it "
          + "could lie")
    }
    if outline.isTransformer, given.model.compute == .bf16,
      given.model.transformerCompute == .f32
    {
      notices.append(
        "'--dit_dtype float32' has no effect: '--mixed_precision \(given.precision)' has the weights held in bf16"
      )
    }
    if outline.isTransformer, given.model.compute == .f32, given.model.transformerCompute == nil,
      configuration.model.compute == .bf16, let format = Self.storedFormat(of: base)
    {
      notices.append(
        "weights are held in bf16, as the checkpoint has them in \(format.rawValue): '--dit_dtype float32' has them "
          + "in f32")
    }
    if !configuration.model.compute.isNative {
      notices.append(
        "this processor has no bf16 instructions: weights are held in bf16 and computed in f32")
    }
    if configuration.model.holdsInt8 {
      let held = outline.modules.filter { network.textEncoderCount > 0 || $0.role != .text }
      let count = held.reduce(0) { $0 + ($1.kind == .linear ? $1.shape.count : 0) }
      let width = configuration.model.compute == .bf16 ? 2 : 4
      notices.append(
        "linear layers are held in 8 bits: \(Self.megabytes(count)) instead of "
          + Self.megabytes(width * count))
    }
    return notices
  }

  private static func megabytes(_ bytes: Int) -> String {
    "\((Double(bytes) / 1e5).rounded() / 10) MB"
  }
}
