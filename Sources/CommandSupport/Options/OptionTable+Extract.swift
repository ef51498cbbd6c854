import Adapters
import Checkpoints
import LinearAlgebra
import Machine
import SystemPackage

extension OptionTable {
  /// A preset of the user's own, which may name an algorithm for some modules.
  private static let ownPreset = "preset!=" + Preset.builtInNames.joined(separator: "|")
  /// Algorithms with a rank to choose.
  private static let ranked = "algo!=ia3|full|norm or \(ownPreset)"

  /// Options of lyco-extract.
  package static let extract = OptionTable(
    "lyco-extract",
    synonyms: """
      rank r lora_rank lora_dim network_dim network_rank new_rank unet_dim = --linear_dim
      conv_rank network_conv_dim conv_lora_dim new_conv_rank = --conv_dim
      alpha network_alpha linear_alpha conv_alpha = an extracted adapter has alpha = rank, which is a scale of 1
      algorithm type method network_module lyco_algo = --algo
      dora use_dora weight_decompose = --dora_wd
      threshold = --linear_threshold
      quantile = --linear_quantile
      ratio = '--linear_ratio' chooses ranks; how strong an adapter is says lyco-merge's '--ratio'
      error tolerance eps max_err = --max_error
      size target_size filesize file_size = --max_size
      strength scale multiplier weight = an extracted adapter has strength 1; lyco-convert's '--ratio' changes it
      base base_model org original model model_a sd_model pretrained_model_name_or_path model_path = the checkpoints stand without an option: lyco-extract BASE TUNED -o ADAPTER
      tuned finetuned fine_tuned tuned_model trained_model target model_b = the checkpoints stand without an option: lyco-extract BASE TUNED -o ADAPTER
      out out_path output_path output_file outfile output_name output_dir dst dest save save_as to = -o
      half fp16 float16 = --save_precision fp16
      bf16 bfloat16 = --save_precision bf16
      fp32 float32 = --save_precision fp32
      dtype save_dtype saving_precision output_dtype = --save_precision
      sparse_bias = --use_sparse_bias
      tucker cp use_conv_cp = --use_tucker
      norm train_norm layer_norm = --norms
      train_bias use_bias = --bias
      exclude skip ignore blacklist exclude_modules exclude_keys exclude_module = --exclude_patterns
      include only target_modules layers modules filter = --preset
      model_type arch architecture base_model_type sd_version sdxl_model model_version = --family
      jobs num_threads workers cpu_threads n_threads = --threads
      dryrun dry plan simulate = --dry_run
      silent no_progress = --quiet
      log info html = --report
      program client software app loader format = --reader
      calibration calibration_data calibration_dataset dataset images = --calibrate
      covariance moments activations = --statistics
      gpu cuda cpu = all work is done on the processor
      """,
    exclusive: [
      (["max_error", "max_size"], "both choose the ranks"),
      (["calibrate", "statistics"], "both say what layers read"),
    ],
    [
      .output,
      .value(
        "algo",
        in: .algorithms(dora: "it is made of lora, loha and lokr with '--dora_wd'") {
          algorithms + ["locon", "oft", Full.name, Norm.name, "auto"]
        },
        standard: "lora"),
      .value(
        "factor", standard: "auto", read: "algo=lokr|auto or \(ownPreset) and mode!=full"),
      .flag("decompose_both", read: "algo=lokr|auto or \(ownPreset) and mode!=full"),
      .flag("unbalanced_factorization", read: "algo=lokr|auto or \(ownPreset) and mode!=full"),
      .flag("dora_wd", read: "algo!=ia3|diag-oft|oft|boft|glora|full|norm and mode!=full"),
      .value("wd_on_output", in: .booleans, standard: "false", read: "dora_wd"),
      .value(
        "ia3_side", in: "auto input output", standard: "auto", read: "algo=ia3|auto or \(ownPreset)"
      ),
      .flag("rescaled", read: "algo=diag-oft|oft|boft|auto or \(ownPreset)"),
      .value(
        "mode",
        in: OptionWords(
          "fixed threshold ratio quantile full error size",
          hints: """
            rank dim static = fixed
            sv_ratio = ratio
            sv_cumulative cumulative = quantile
            sv_fro fro frobenius max_error = error
            max_size bytes auto = size
            diff none = full
            """), standard: "fixed",
        read: "mode=full|error|size or algo!=ia3 or \(ownPreset) and algo!=norm"),
      .value("linear_dim dim", standard: "32", read: "mode=fixed and \(ranked)"),
      .value("conv_dim", read: "mode=fixed and \(ranked)"),
      .value("linear_threshold", read: "mode=threshold and \(ranked)", implies: true),
      .value("conv_threshold", read: "mode=threshold and \(ranked)", implies: true),
      .value("linear_ratio", read: "mode=ratio and \(ranked)", implies: true),
      .value("conv_ratio", read: "mode=ratio and \(ranked)", implies: true),
      .value("linear_quantile", read: "mode=quantile and \(ranked)", implies: true),
      .value("conv_quantile", read: "mode=quantile and \(ranked)", implies: true),
      .value("max_error", read: "mode=error and algo!=full|norm", implies: true),
      .size("max_size", read: "mode=size and algo!=full|norm", implies: true),
      .value("save_precision", in: .precisions),
      .value("svd", in: .decompositions, standard: "auto", read: "mode!=full and \(ranked)"),
      .value(
        "seed", standard: "0",
        read: "svd!=exact or algo=loha|lokr|glora|auto and mode!=full and \(ranked)"),
      .flag("use_tucker use_cp", read: "mode!=full and algo=lora|locon|auto or \(ownPreset)"),
      .flag("use_sparse_bias", read: "mode!=full|size and algo=lora|locon or \(ownPreset)"),
      .value("sparsity", standard: "0.98", read: "use_sparse_bias"),
      .flag("no_full", read: "mode!=full and algo!=full|norm"),
      .value(
        "preset",
        in: OptionWords(
          { Preset.builtInNames }, "",
          """
          attn attention = attn-only
          unet = unet-only
          linear lin = full-lin
          transformer = unet-transformer-only
          conv = unet-convblock-only
          """,
          // What can only be a path is, so that it is said that no such file is there.
          {
            $0.contains("/") || $0.hasSuffix(".toml")
              || InputFile.kind(of: FilePath(named: $0)) != nil
          }),
        standard: "full"),
      .value("calibrate", read: "mode!=full and algo!=full|norm"),
      .number("calibration_samples", 1...100_000, standard: "64", read: "calibrate"),
      .flag("calibration_gradients", read: "calibrate"),
      .value("calibration_prompts", read: "calibrate=random"),
      .value(
        "calibration_model", in: "tuned base", standard: "tuned", read: "calibrate"),
      .value("vae", read: "calibrate"),
      .value(
        "mixed_precision",
        in: OptionWords(
          "no bf16", equals: "bfloat16 = bf16\nfp32 float float32 = no",
          hints: "fp16 float16 half = bf16\n" + OptionWords.precisionHints), standard: "no",
        read: "calibrate"),
      .value("statistics", read: "mode!=full and algo!=full|norm"),
      .value("save_statistics", read: "calibrate"),
      .flag("norms"), .flag("bias biases"),
      .excluded, .included, .family, .reader,
      .value("report"), .flag("no_metadata"), .text("set_meta"),
    ] + OptionRow.job)

  /// Algorithms that a change of weights can be turned into.
  static var algorithms: [String] { extractableAlgorithms.map { $0.name } }
}

extension OptionWords: ExpressibleByStringLiteral {
  package init(stringLiteral words: String) { self.init(words) }

  /// Names of algorithms, of which DoRA is none.
  /// - Parameter dora: what is said of it.
  static func algorithms(
    dora: String, _ names: @escaping @Sendable () -> [String]
  ) -> OptionWords {
    OptionWords(
      names, "",
      """
      dora = \(dora)
      lycoris = it is the name of a package: say which of its algorithms
      kronecker kron lokron = lokr
      hadamard = loha
      ia = ia3
      loraxs lora-xs dylora adalora vera rslora pissa = it cannot be made of a difference
      diff difference delta = full
      """)
  }

  static let decompositions = OptionWords(
    { SVDMethod.allCases.map(\.rawValue) }, "",
    """
    random rand lowrank svd_lowrank fast = randomized
    full gesvd gram = exact
    """)
}
