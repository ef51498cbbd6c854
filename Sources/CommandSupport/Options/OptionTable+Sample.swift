extension OptionTable {
  /// Options of lyco-sample.
  package static let sample = OptionTable(
    "lyco-sample",
    synonyms: """
      model model_path checkpoint base_model sd_model model_name_or_path = --base
      lora loras lora_path lora_model adapter adapters lora_weights lyco lycoris = adapters stand without an option: lyco-sample --base CKPT ADAPTER… --prompt TEXT -o OUT.png
      strength strengths multiplier multipliers lora_weight lora_scale lora_strength network_weight = --ratio
      p text positive positive_prompt = --prompt
      prompt_file prompts_file prompt_path = --prompts
      negative n neg uc = --negative_prompt
      cfg cfg_scale = --scale
      guidance distilled_guidance distilled_cfg_scale embedded_guidance = --guidance_scale
      num_inference_steps sample_steps num_steps = --steps
      resolution size = --width and --height
      num_images num_images_per_prompt n_images n_iter batch_count batch_size count = --batch
      scheduler sampling_method sample_method method = --sampler
      clip_skip_layers = --clip_skip
      vae_path = --vae
      fp16 half = --mixed_precision bf16
      bf16 = --mixed_precision bf16
      precision dtype = --mixed_precision
      v_prediction v_pred vpred prediction_type = --v_parameterization
      ztsnr zero_snr rescale_betas_zero_snr = --zero_terminal_snr
      out out_path output_path output_file outfile output_name output_dir dst save_path to = -o
      xy xyz xy_plot xyz_plot plot contact_sheet = --grid
      preview_steps preview_interval = --preview
      jobs num_threads workers cpu_threads n_threads = --threads
      dryrun dry plan simulate = --dry_run
      force = --overwrite
      silent no_progress = --quiet
      gpu cuda cpu = all work is done on the processor
      """,
    [
      .value("base ckpt pretrained_model_name_or_path"), .value("vae ae"),
      .value("clip_l"), .value("clip_g"), .value("t5xxl"), .value("t5xxl_tokenizer"),
      .number("t5xxl_max_token_length", 1...4096), .flag("apply_t5_attn_mask"), .family,
      .value("clip_skip"), .flag("v_parameterization"), .flag("zero_terminal_snr"),
      .value(
        "mixed_precision",
        in: OptionWords(
          "no bf16", equals: "bfloat16 = bf16\nfp32 float float32 = no",
          hints: "fp16 float16 half = bf16\n" + OptionWords.precisionHints), standard: "no"),
      .numbers("ratio ratios weight network_mul"), .numbers("unet_ratio"), .numbers("te_ratio"),
      .text("prompt"), .value("prompts from_file sample_prompts"), .text("negative_prompt"),
      .value(
        "emphasis",
        in: OptionWords(
          "original no_norm none", hints: "no = none\noff = none\nignore = none\na1111 = original"),
        standard: "original"),
      .value("width W"), .value("height H"), .number("steps", 1...1000),
      .number("scale", 0...1000), .number("guidance_scale", 0...1000),
      .value("sampler sample_sampler"),
      .value("seed"), .number("batch images_per_prompt", 1...10000, standard: "1"),
      .value("o output outdir"), .value("grid"), .value("preview"),
      .value("threads"), .flag("dry_run"), .flag("overwrite"), .flag("q quiet"), .flag("json"),
    ])
}
