extension OptionTable {
  /// Options of lyco-train. Files of kohya's scripts name all there are, so what is not read is noted.
  package static let train = OptionTable(
    "lyco-train",
    synonyms: """
      rank r dim lora_rank lora_dim linear_dim = --network_dim
      alpha lora_alpha = --network_alpha
      conv_dim conv_alpha algo algorithm preset factor dropout use_tucker dora_wd rank_dropout module_dropout = --network_args key=value
      lr = --learning_rate
      te_lr text_lr = --text_encoder_lr
      epochs epoch num_epochs num_train_epochs = --max_train_epochs
      steps iterations max_steps total_steps = --max_train_steps
      batch batch_size bs = --train_batch_size
      accumulation grad_accum grad_accumulation gradient_accumulation = --gradient_accumulation_steps
      teacher_model teacher_path tuned tuned_model = --teacher
      init_weights initial_weights init_lora resume_lora = --init
      transformer transformer_path dit_path = --dit
      model model_path ckpt checkpoint base_model sd_model model_name_or_path = --pretrained_model_name_or_path
      data data_dir dataset images image_dir train_dir instance_data_dir dataset_dir = --train_data_dir
      reg_dir regularization class_data_dir = --reg_data_dir
      out output o save_to out_dir outdir = --output_dir
      name project = --output_name
      size res reso image_size = --resolution
      optimizer optim = --optimizer_type
      scheduler schedule lr_schedule = --lr_scheduler
      warmup warmup_steps = --lr_warmup_steps
      precision dtype = --mixed_precision
      fp16 half = --mixed_precision fp16
      bf16 = --mixed_precision bf16
      save_dtype = --save_precision
      validation_prompt validation_prompts = --sample_prompts
      save_every save_steps checkpointing_steps = --save_every_n_steps
      resume_from resume_from_checkpoint = --resume
      config toml = --config_file
      workers num_threads jobs num_workers = --threads
      dry dryrun simulate = --plan
      silent = --quiet
      report = --html
      tensorboard = --log_with tensorboard
      log_dir logdir = --logging_dir
      gpu cuda cpu = all work is done on the processor
      """,
    exclusive: [(["network_weights", "init"], "both name the adapter to go on from")],
    modelRows + imageRows + learningRows + lossRows + flowRows + runRows + outputRows
      + sampleRows)

  private static let drawsItself =
    "teacher and !train_data_dir and !in_json and !dataset_config"

  private static let modelRows: [OptionRow] = [
    .value("pretrained_model_name_or_path base dit"), .value("vae ae"), .value("clip_l"),
    .value("clip_g"), .value("t5xxl"), .value("t5xxl_tokenizer"),
    .number("t5xxl_max_token_length", 1...4096),
    .flag("apply_t5_attn_mask"), .flag("v2"),
    .flag("v_parameterization"), .value("clip_skip"),
    .value("max_token_length", in: "75 150 225", standard: "75"),
    .value(
      "mixed_precision",
      in: OptionWords(
        "no bf16 fp16", equals: "float16 = fp16\nbfloat16 = bf16\nfp32 float float32 = no",
        hints: OptionWords.precisionHints), standard: "no"),
    .value(
      "dit_dtype",
      in: OptionWords(
        "bfloat16 float16 float32",
        equals: "bf16 = bfloat16\nfp16 half = float16\nfp32 float = float32")),
    .value("model_version", in: .versions, standard: "original"),
    .flag("edit"), .flag("edit_plus"),
    .value("dit_high_noise"),
    .number("timestep_boundary", 0...1000, read: "dit_high_noise", noted: true),
    .flag("apply_lg_attn_mask"), .flag("fp8_base"), .flag("fp8_scaled", read: "fp8_base"),
    .number("blocks_to_swap", OptionRow.fromZero),
    .value("base_weights_dtype", in: "int8"), .list("base_weights"),
    .numbers(
      "base_weights_multiplier", within: OptionRow.finite, read: "base_weights", noted: true),
    .value("network_module"), .value("network_dim"), .number("network_alpha"),
    .value("teacher"),
    .value("teacher_prompts", read: drawsItself),
    .number("teacher_samples", 1...100_000, standard: "64", read: drawsItself),
    .list("network_args"), .value("network_dropout"), .value("network_weights"),
    .flag("dim_from_weights"), .value("init"), .flag("network_train_unet_only"),
    .flag("network_train_text_encoder_only"), .number("scale_weight_norms", OptionRow.fromZero),
    .value("family", in: .families, standard: "auto"), .value("config_file"),
    .list("spelling"), .value("script"),
  ]

  private static let imageRows: [OptionRow] = [
    .value("train_data_dir"), .value("reg_data_dir"), .value("in_json"), .value("dataset_config"),
    .value("train_batch_size"), .value("resolution"),
    .value("caption_extension caption_extention"),
    .number("dataset_repeats", 1...OptionRow.fromZero.upperBound),
    .flag("shuffle_caption"), .value("caption_separator"),
    .number("keep_tokens", OptionRow.fromZero),
    .value("keep_tokens_separator"), .value("secondary_separator"), .flag("enable_wildcard"),
    .text("caption_prefix"), .text("caption_suffix"),
    .number("caption_dropout_rate", OptionRow.share),
    .number("caption_dropout_every_n_epochs", OptionRow.fromZero),
    .number("caption_tag_dropout_rate", OptionRow.share),
    .number("clip_l_dropout_rate", OptionRow.share),
    .number("clip_g_dropout_rate", OptionRow.share), .number("t5_dropout_rate", OptionRow.share),
    .number("token_warmup_min", OptionRow.fromZero),
    .number("token_warmup_step", OptionRow.fromZero), .flag("weighted_captions"),
    .flag("flip_aug"),
    .flag("color_aug"), .flag("random_crop"), .flag("alpha_mask"), .flag("enable_bucket"),
    .value("min_bucket_reso"), .value("max_bucket_reso"), .value("bucket_reso_steps"),
    .flag("bucket_no_upscale"), .value("resize_interpolation"), .flag("cache_latents"),
    .flag("cache_latents_to_disk"),
    .value(
      "latent_cache_format", in: "npz safetensors.zst", standard: "npz",
      read: "cache_latents_to_disk", noted: true),
    .flag("cache_text_encoder_outputs"), .flag("cache_text_encoder_outputs_to_disk"),
    .flag("skip_cache_check"), .value("vae_batch_size"),
    .number("prior_loss_weight", OptionRow.fromZero),
  ]

  private static let learningRows: [OptionRow] = [
    .value("optimizer_type"), .flag("use_8bit_adam"), .flag("use_lion_optimizer"),
    .list("optimizer_args"), .number("learning_rate", OptionRow.fromZero),
    .number("unet_lr", OptionRow.fromZero),
    .numbers("text_encoder_lr", within: OptionRow.fromZero), .value("lr_scheduler"),
    .value("lr_scheduler_type"),
    .value("lr_warmup_steps"),
    .value("lr_decay_steps"), .number("lr_scheduler_num_cycles", OptionRow.fromZero),
    .number("lr_scheduler_power", OptionRow.fromZero),
    .value("lr_scheduler_timescale"), .number("lr_scheduler_min_lr_ratio", OptionRow.share),
    .list("lr_scheduler_args"), .number("max_grad_norm", 0...Double.infinity), .value("ema_decay"),
  ]

  private static let lossRows: [OptionRow] = [
    .number("noise_offset"),
    .flag("noise_offset_random_strength", read: "noise_offset", noted: true),
    .number("adaptive_noise_scale", standard: "0", read: "noise_offset", noted: true),
    .value("multires_noise_iterations"),
    .number(
      "multires_noise_discount", OptionRow.fromZero, standard: "0.3",
      read: "multires_noise_iterations", noted: true),
    .number("ip_noise_gamma", OptionRow.fromZero),
    .flag("ip_noise_gamma_random_strength", read: "ip_noise_gamma", noted: true),
    .flag("zero_terminal_snr"), .value("min_timestep"), .value("max_timestep"),
    .value(
      "loss_type", in: OptionWords("l2 l1 huber smooth_l1", equals: "mse = l2"), standard: "l2"),
    .value(
      "huber_schedule", in: "snr exponential constant", standard: "snr",
      read: "loss_type=huber|smooth_l1", noted: true),
    .value("huber_c", standard: "0.1", read: "loss_type=huber|smooth_l1", noted: true),
    .value("huber_scale", standard: "1", read: "loss_type=huber|smooth_l1", noted: true),
    .value("min_snr_gamma"), .flag("scale_v_pred_loss_like_noise_pred"),
    .number("v_pred_like_loss"), .flag("debiased_estimation_loss"), .flag("masked_loss"),
  ]

  private static let drawsLogits =
    "timestep_sampling=logsnr|qinglong_flux or weighting_scheme=logit_normal"

  private static let flowRows: [OptionRow] = [
    .value(
      "timestep_sampling",
      in: """
        sigma uniform sigmoid shift flux_shift flux2_shift qwen_shift krea2_shift logsnr qinglong_flux qinglong_qwen
        """, standard: "sigma"),
    .number(
      "discrete_flow_shift", OptionRow.fromZero, read: "timestep_sampling=shift|sigma",
      noted: true),
    .number("training_shift", OptionRow.fromZero, standard: "1"),
    .number(
      "sigmoid_scale", standard: "1",
      read: "timestep_sampling!=sigma|uniform|logsnr", noted: true),
    .value(
      "weighting_scheme", in: "none uniform logit_normal mode cosmap sigma_sqrt"),
    .value(
      "model_prediction_type", in: "raw additive sigma_scaled", standard: "raw"),
    .number("logit_mean", standard: "0", read: drawsLogits, noted: true),
    .number("logit_std", OptionRow.fromZero, standard: "1", read: drawsLogits, noted: true),
    .number("mode_scale", standard: "1.29", read: "weighting_scheme=mode", noted: true),
    .flag("preserve_distribution_shape", read: "timestep_sampling!=sigma", noted: true),
    .value("num_timestep_buckets"), .number("guidance_scale"),
  ]

  private static let runRows: [OptionRow] = [
    .value("max_train_steps"), .value("max_train_epochs"),
    .value("gradient_accumulation_steps"), .flag("gradient_checkpointing"), .value("seed"),
    .value("threads"), .value("raise_limits"), .value("resume"),
    .number("initial_epoch", OptionRow.fromZero),
    .number("initial_step", OptionRow.fromZero),
    .flag("skip_until_initial_step", read: "initial_epoch or initial_step", noted: true),
    .number("validation_split", OptionRow.share), .value("validation_seed"),
    .value("validate_every_n_steps"), .value("validate_every_n_epochs"),
    .value("max_validation_steps"), .flag("plan dry_run"), .flag("q quiet"),
    .flag("v verbose"), .flag("json"),
  ]

  private static let sampleRows: [OptionRow] = [
    .value(
      "sample_prompts",
      read: "sample_every_n_steps or sample_every_n_epochs or sample_at_first", noted: true),
    .number("sample_every_n_steps", OptionRow.fromZero, read: "sample_prompts", noted: true),
    .number("sample_every_n_epochs", OptionRow.fromZero, read: "sample_prompts", noted: true),
    .flag("sample_at_first", read: "sample_prompts", noted: true),
    .value("sample_sampler", standard: "ddim", read: "sample_prompts", noted: true),
  ]

  private static let outputRows: [OptionRow] = [
    .value("output_dir"), .text("output_name"), .value("save_precision", in: .precisions),
    .number("save_every_n_epochs", OptionRow.fromZero),
    .number("save_every_n_steps", OptionRow.fromZero),
    .number("save_n_epoch_ratio", OptionRow.fromZero),
    .value("save_last_n_epochs", read: "save_every_n_epochs or save_n_epoch_ratio", noted: true),
    .value("save_last_n_epochs_state", read: "save_state", noted: true),
    .value("save_last_n_steps", read: "save_every_n_steps", noted: true),
    .value("save_last_n_steps_state", read: "save_state", noted: true), .flag("save_state"),
    .flag("save_state_on_train_end"), .flag("no_metadata"), .text("training_comment"),
    .text("metadata_title"), .text("metadata_author"), .text("metadata_description"),
    .text("metadata_license"), .text("metadata_tags"), .text("metadata_usage_hint"),
    .text("metadata_trigger_phrase"), .text("metadata_merged_from"),
    .value("logging_dir"),
    // As sd-scripts have it: TensorBoard asks for a folder, services do not.
    .value(
      "log_with", in: "tensorboard csv all wandb", read: "log_with=wandb or logging_dir or log_csv"),
    .text("log_prefix", read: "logging_dir", noted: true),
    .value("log_tracker_name", read: "logging_dir", noted: true), .value("log_csv"),
    .value("html"),
  ]
}
