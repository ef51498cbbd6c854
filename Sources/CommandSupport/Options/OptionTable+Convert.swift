import Adapters
import LinearAlgebra
import ModelFamilies
import Operations

extension OptionTable {
  private static let adapter = "input=adapter and !ema"
  private static let checkpoint = "input=checkpoint and !ema"
  private static let sum = "input=checkpoint and inputs=several and !ema"
  /// What makes lyco-convert factorize modules anew.
  private static let reshaping =
    "algo or dim or conv_dim or dynamic_method or max_error or max_size or bake_dora"

  /// Options of lyco-convert.
  package static let convert = OptionTable(
    "lyco-convert",
    synonyms: """
      rank r resize new_dim target_rank network_dim lora_dim network_rank = --dim
      conv_rank new_conv_dim network_conv_dim = --conv_dim
      format target_format to_format output_format convert_to = --to
      source source_format input_format from_format = --from
      program client software app loader for_reader = --reader
      algorithm lyco_algo network_module = --algo
      dora use_dora = '--bake_dora' makes DoRA's magnitudes part of the change; they cannot be made anew
      merge_mode merge_method combine_method merge combination_type = --combine
      strength strengths scale scales multiplier multipliers alphas weights lora_weight lora_scale adapter_weights coef coefficient amount = --ratio
      te_strength te_weight te_multiplier clip_strength text_encoder_ratio clip_ratio = --te_ratio
      unet_strength unet_weight unet_multiplier denoiser_ratio = --unet_ratio
      vae_weight vae_strength = --vae_ratio
      no_ema prune_ema remove_ema drop_ema noema = --prune ema
      pruned = --prune non-model
      ema_only use_ema keep_ema only_ema = --extract_ema
      no_optimizer prune_optimizer remove_optimizer = --prune optimizer
      average post_hoc_ema posthoc_ema = --ema
      error tolerance eps max_err = --max_error
      size target_size filesize = --max_size
      half fp16 float16 = --save_precision fp16
      bf16 bfloat16 = --save_precision bf16
      fp32 float32 full = --save_precision fp32
      fp8 float8 quantize = --save_precision fp8_e4m3
      save_dtype output_dtype = --save_precision
      split = --shard_size
      out out_path output_path outfile output_name dest save save_as = -o
      out_dir outdir output_folder = --output_dir
      r_dir walk subfolders = --recursive
      title author description license tags merged_from = --set_meta title=…
      meta edit_metadata add_metadata = --set_meta
      strip_metadata remove_metadata = --no_metadata
      force yes = --overwrite
      no_strict ignore_missing = --lenient
      lora adapter adapters checkpoint = inputs stand without an option: lyco-convert INPUT… -o OUT
      model_type arch architecture sd_version model_version = --family
      jobs num_threads workers cpu_threads n_threads = --threads
      dryrun dry plan simulate = --dry_run
      silent no_progress = --quiet
      gpu cuda cpu = all work is done on the processor
      """,
    exclusive: [
      (["metadata", "no_metadata"], "each says what becomes of the metadata"),
      (["dynamic_method", "max_error", "max_size"], "each chooses the ranks"),
      (["sigma_rel", "beta"], "each says how files are averaged"),
      (["sigma_rel", "beta2"], "each says how files are averaged"),
    ],
    formatRows + reshapingRows + [
      .flag("ema"),
      .value("beta", read: "ema", implies: true), .value("beta2", read: "ema", implies: true),
      .value("sigma_rel", read: "ema", implies: true), .flag("no_sort", read: "ema"),
      .value(
        "save_precision saving_precision dtype",
        in: .numberFormats(and: "fp8_scaled"), read: "!ema"),
      .size("shard_size max_shard_size", read: checkpoint),
      .value("prune", in: .prunedParts, read: checkpoint), .flag("extract_ema", read: checkpoint),
      .flag("add_difference", read: sum), .numbers("vae_ratio", read: sum),
      .text("pattern_ratio", read: sum), .flag("unet_only", read: sum),
      .list("bundle_add", read: adapter), .value("unbundle", read: adapter),
      .value("output_dir"), .flag("recursive"),
      .value(
        "metadata",
        in: OptionWords(
          { MetadataPolicy.allCases.map(\.rawValue) }, "all = keep\nno off drop strip = none",
          "show print raw = 'lyco-inspect --metadata' shows them"), standard: "keep",
        read: "!ema"),
      .flag("no_metadata", read: "!ema"), .text("set_meta", read: "!ema"),
      .value("family", in: .families, standard: "auto", read: "!ema"),
    ] + OptionRow.job)

  private static let formatRows: [OptionRow] = [
    .value("o output save_to dst dst_path output_file"),
    .value("to target", in: .formats, read: adapter),
    .value("from", in: .formats, read: adapter),
    .value("reader", in: .readers, read: adapter),
    .value(
      "alpha",
      in: OptionWords(
        { AlphaPolicy.allCases.map(\.rawValue) }, "",
        """
        none no remove = fold
        yes = keep
        1 0.5 1.0 0.7 0.8 2 = it says where alpha is kept; how strong an adapter is says '--ratio'
        """), read: adapter),
    .value("base base_model", read: adapter),
    .list("initial_adapter path_initial_model_for_weight_conversion", read: adapter),
    .flag("lenient", read: adapter),
    .numbers(
      "ratio ratios weight network_mul", read: "input=adapter or inputs=several and !ema"),
    .numbers("unet_ratio", read: "input=adapter or inputs=several and !ema"),
    .numbers("te_ratio", read: "input=adapter or inputs=several and !ema"),
    .value(
      "combine method",
      in: OptionWords(
        { CombinationSettings.Method.allCases.map(\.rawValue) },
        """
        cat linear = concat
        ties_svd = ties
        dare_ties_svd = dare_ties
        dare_linear_svd = dare_linear
        magnitude_prune_svd = magnitude_prune
        """,
        """
        sum add average mean weighted_sum concatenate concatenation = concat
        dare = dare_linear
        prune magnitude = magnitude_prune
        gram_schmidt orthogonalize = orthogonal
        """), read: "\(adapter) and inputs=several"),
    .flag("concat", read: "\(adapter) and inputs=several"), .flag("shuffle"),
    .value(
      "density", read: "combine=ties|dare_ties|dare_linear|magnitude_prune and \(adapter)"),
    .value(
      "majority_sign_method", in: "total frequency", standard: "total",
      read: "combine=ties|dare_ties and \(adapter)"),
    .value(
      "seed", standard: "0",
      read: "combine=svd|ties|dare_ties|dare_linear|magnitude_prune or dim and \(adapter)"),
    .list("block_weights lbws lbw", read: adapter),
  ]

  private static let reshapingRows: [OptionRow] = [
    .value(
      "algo",
      in: .algorithms(
        dora:
          "'--dora_wd' of lyco-extract makes it of two checkpoints, '--bake_dora' turns it into another"
      ) { algorithms + ["locon", "oft", Full.name] }, read: adapter),
    .value("dim new_rank linear_dim", read: "algo!=ia3|full and \(adapter)"),
    .value("conv_dim new_conv_rank", read: "algo!=ia3|full and \(adapter)"),
    .value(
      "dynamic_method",
      in: OptionWords(
        "sv_ratio sv_fro sv_cumulative",
        hints: """
          ratio = sv_ratio
          fro frobenius = sv_fro
          cumulative quantile = sv_cumulative
          """), read: "algo!=ia3|full and \(adapter)"),
    .value("dynamic_param", read: "dynamic_method and \(adapter)"),
    .value("max_error", read: "algo!=full and \(adapter)"), .size("max_size", read: adapter),
    .value("dylora_unit unit", read: adapter), .flag("bake_dora", read: adapter),
    .value("factor", read: "algo=lokr and \(adapter)"),
    .flag("decompose_both", read: "algo=lokr and \(adapter)"),
    .flag(
      "use_tucker use_cp",
      read: "algo!=lokr|loha|glora|ia3|diag-oft|oft|boft|full and \(reshaping) and \(adapter)"),
    .value(
      "svd", in: .decompositions, standard: "auto",
      read: "\(reshaping) or combine and \(adapter)"),
    .value("report", read: "\(reshaping) and \(adapter)"),
  ]
}

extension OptionWords {
  /// Parts of checkpoints that are no weights of the model.
  package static let prunedParts = OptionWords(
    { PrunedPart.allCases.map(\.rawValue) }, "",
    """
    model_ema ema_model averages = ema
    optimizer_states optimizers states = optimizer
    all other rest nonmodel = non-model
    """, takesSeveral: true)

  /// Formats of adapters; the words of musubi-tuner's converter for its two as well.
  package static let formats = OptionWords(
    { AdapterFormat.allCases.map(\.rawValue) },
    """
    default = musubi
    other = musubi-other
    comfyui = comfy
    kohya_ss sd-scripts sdscripts = kohya
    musubi-tuner = musubi
    hcp-diffusion hcpdiff = hcp
    """,
    """
    a1111 webui automatic1111 forge lora locon lycoris = kohya
    huggingface hf diffuser = diffusers
    ldm compvis stability = sgm
    onerainer onetrainer ai-toolkit aitoolkit = it names no format of its own here: '--to kohya' or '--to diffusers'
    safetensors = it is what every output is
    """)
}
