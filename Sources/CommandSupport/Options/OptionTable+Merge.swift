extension OptionTable {
  /// Options of lyco-merge.
  package static let merge = OptionTable(
    "lyco-merge",
    synonyms: """
      strength strengths scale scales multiplier multipliers alpha alphas weights lora_weight lora_scale lora_strength adapter_weights lora_multiplier lora_multipliers coef coefficient factor amount m = --ratio
      te_strength te_weight te_multiplier te_scale clip_strength strength_clip text_encoder_ratio text_encoder_strength clip_ratio = --te_ratio
      unet_strength unet_weight unet_multiplier unet_scale strength_model model_strength dit_ratio denoiser_ratio = --unet_ratio
      block_weight blocks lora_block_weight = --block_weights
      base base_model checkpoint ckpt model model_path dit unet pretrained_model_name_or_path = the base stands first, without an option: lyco-merge BASE ADAPTER -o OUT
      lora loras lora_path lora_model adapter adapters lora_weights network_weights lyco lycoris = adapters stand after the base, without an option: lyco-merge BASE ADAPTER -o OUT
      out out_path output_path output_file outfile output_name output_dir dst dest save save_as save_merged_model to = -o
      half fp16 float16 = --save_precision fp16
      bf16 bfloat16 = --save_precision bf16
      fp32 float32 = --save_precision fp32
      dtype save_dtype saving_precision output_dtype = --save_precision
      fp8 float8 = --save_precision fp8_e4m3
      split = --shard_size
      initial_adapters initial_path initial_model pissa_init init_adapter = --initial_adapter
      force no_strict ignore_missing skip_missing allow_missing ignore_unmatched partial = --lenient
      exclude skip ignore exclude_modules exclude_keys = --exclude_patterns
      include only target_modules filter = --include_patterns
      metadata meta = --set_meta
      log info html = --report
      model_type arch architecture sd_version model_version = --family
      jobs num_threads workers cpu_threads n_threads = --threads
      dryrun dry plan simulate = --dry_run
      silent no_progress = --quiet
      gpu cuda cpu = all work is done on the processor
      """,
    exclusive: [
      (
        ["initial_adapter", "residual_base"],
        "each says what becomes of the product before training"
      )
    ],
    [
      .output,
      .numbers("ratio ratios weight network_mul"), .numbers("unet_ratio"), .numbers("te_ratio"),
      .list("block_weights lbws lbw"),
      .value(
        "tlora_sig",
        in: OptionWords(
          "principal",
          hints: """
            random random_svd middle minor last smallest orthogonal = other singular vectors than the leading \
            ones cannot be found again
            """)),
      .list("initial_adapter path_initial_model_for_weight_conversion"), .flag("residual_base"),
      .value("save_precision", in: .precisions), .size("shard_size max_shard_size"),
      .flag("lenient"), .value("report"),
      .flag("no_metadata"), .text("set_meta"),
      .excluded, .included, .family,
    ] + OptionRow.job)
}
