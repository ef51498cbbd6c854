import ArgumentParser
import CommandSupport

/// The names of all options that a command or file of kohya's scripts may hold.
struct ScriptVocabulary: Sendable {
  /// Options of this tool, and what follows each.
  private let own: [String: ScriptOption.Values]
  /// Lists of numbers, which end at the first word that is none.
  private let numeric: Set<String>
  /// Options in whose values every word counts.
  private let texts: Set<String>

  /// Options of this tool that no script has; they are not considered where a script's option is shortened.
  private static let additions: Set<String> = [
    "ae", "apply_lg_attn_mask", "apply_t5_attn_mask", "clip_g_dropout_rate",
    "clip_l_dropout_rate", "t5_dropout_rate", "clip_g", "clip_l", "t5xxl", "t5xxl_max_token_length",
    "t5xxl_tokenizer", "blocks_to_swap", "discrete_flow_shift", "dit", "dit_dtype",
    "dit_high_noise", "edit", "edit_plus", "model_version",
    "timestep_boundary", "fp8_scaled", "guidance_scale", "model_prediction_type", "training_shift",
    "logit_mean", "logit_std", "mode_scale",
    "num_timestep_buckets", "preserve_distribution_shape", "sigmoid_scale", "timestep_sampling",
    "weighting_scheme", "base", "base_weights_dtype", "dry_run", "ema_decay", "family", "help",
    "json",
    "html", "latent_cache_format", "log_csv", "plan", "quiet", "raise_limits", "threads", "verbose",
    "version", "init", "teacher", "teacher_prompts", "teacher_samples",
  ]
  private static let renamed = ["caption_extention": "caption_extension"]

  /// - Parameters:
  ///   - flags, values, lists, numbers: names of this tool's options, by what follows.
  ///   - texts: those of them whose values are texts.
  init(
    flags: Set<String>, values: Set<String>, lists: Set<String>, numbers: Set<String>,
    texts: Set<String>
  ) {
    var own = Dictionary(uniqueKeysWithValues: flags.map { ($0, ScriptOption.Values.none) })
    for name in values { own[name] = .one }
    for name in lists.union(numbers) { own[name] = .several }
    self.own = own
    numeric = numbers
    self.texts = texts
  }

  func isOwn(_ name: String) -> Bool { own[name] != nil }

  func values(of name: String) -> ScriptOption.Values {
    own[name] ?? ScriptOption.all[name]?.values ?? .one
  }

  func isText(_ name: String) -> Bool { texts.contains(name) }

  func isNumeric(_ name: String) -> Bool { numeric.contains(name) }

  /// The option that a name stands for: itself, with hyphens or shortened; nil if there is none.
  /// - Throws: `ValidationError` where it could be several.
  func name(of given: String) throws -> String? {
    let name = Self.canonical(given)
    if own[name] != nil || ScriptOption.all[name] != nil { return name }
    // Nothing is short for so much.
    guard !name.isEmpty, name.utf8.count <= 64 else { return nil }
    func candidates(_ names: some Sequence<String>) -> [String] {
      Set(names.filter { $0.hasPrefix(name) }.map(Self.canonical)).sorted()
    }
    let ofNetworks = Set(own.keys).subtracting(Self.additions).union(
      ScriptOption.all.filter { $0.value.isOfNetworkScript(as: $0.key) }.keys)
    var found = candidates(ofNetworks)
    if found.isEmpty { found = candidates(Self.additions) }
    if found.isEmpty { found = candidates(ScriptOption.all.keys) }
    // What another trainer calls an option is no shortened name, unless both are the same.
    if let meant = OptionTable.train.synonyms[name],
      found.count != 1 || !meant.hasPrefix("--\(found[0])")
    {
      return nil
    }
    guard found.count < 2 else {
      throw ValidationError(
        "'--\(given)' is short for \(found.count) options: expected one of "
          + found.map { "'--\($0)'" }.joined(separator: ", "))
    }
    return found.first
  }

  /// Hyphens are underscores, and an old spelling is the new one.
  static func canonical(_ name: String) -> String {
    let name = String(name.map { $0 == "-" ? "_" : $0 })
    return renamed[name] ?? name
  }

  /// The option that a key was meant to be: one letter more, fewer, another or two exchanged. Names of two or three
  /// letters are near to too much.
  func oneEdit(from key: String) -> String? {
    let key = key.lowercased()
    return own.keys.sorted().first {
      $0 == key || min($0.count, key.count) > 3 && $0.utf8.isOneEdit(from: key.utf8)
    }
  }
}

extension ScriptOption {
  /// Whether kohya's script for adapters of Stable Diffusion knows it.
  fileprivate func isOfNetworkScript(as name: String) -> Bool {
    switch fate {
    case .withoutEffect, .refused: !Self.elsewhere.contains(name)
    case .ofOtherScripts, .ofOtherModel: false
    }
  }

  /// Options of musubi-tuner and accelerate that it does not have, so that its own may be shortened as there.
  private static let elsewhere = Set(
    """
    attn_mode block_swap_h2d_only block_swap_ring_size blockwise_fused_optimizers
    cache_text_encoder_outputs cache_text_encoder_outputs_to_disk clip compile compile_backend
    compile_cache_size_limit compile_dynamic compile_fullgraph compile_mode cuda_allow_tf32 cuda_cudnn_benchmark
    device diffusers_xformers dit_in_channels disable_mmap_load_safetensors disable_numpy_memmap
    double_blocks_to_swap dynamo_dynamic dynamo_fullgraph dynamo_mode dynamo_use_dynamic dynamo_use_fullgraph
    enable_scaled_pos_embed pos_emb_random_crop_rate save_clip save_t5xxl use_t5xxl_cache_only
    flash3 flash_attn force_v2_1_time_embedding fp8_llm fp8_t5 fp8_te fp8_text_encoder
    fp8_vl fused_optimizer_groups gpu_ids
    gradient_checkpointing_cpu_offload image_encoder img_in_txt_in_offloading initial_sigma log_loss_stats
    lowvram machine_rank main_process_ip main_process_port mem_eff_save metadata_arch
    metadata_reso multi_gpu no_vae_load num_cpu_threads_per_process num_machines
    num_processes offload_dit_during_sampling offload_inactive_dit one_frame
    sage_attn sample_batch_size sampler_preset save_merged_model show_timesteps
    show_timesteps_resolution single_blocks_to_swap split_attn t5 t5xxl_device t5xxl_dtype task
    text_encoder text_encoder1 text_encoder2 text_encoder_batch_size text_encoder_cpu text_encoder_dtype
    train_inpainting unsloth_offload_checkpointing use_32bit_attention use_flash_attn
    use_pinned_memory_for_block_swap use_safetensors use_sage_attn use_wandb vae_cache_cpu vae_chunk_size
    vae_disable_cache vae_dtype vae_spatial_tile_sample_min_size vae_tiling
    """.split(whereSeparator: \.isWhitespace).map(String.init))
}

extension String.UTF8View {
  /// Whether one byte more, less or other, or two neighbours exchanged, make one text of the other.
  fileprivate func isOneEdit(from other: String.UTF8View) -> Bool {
    let (a, b) = count >= other.count ? (Array(self), Array(other)) : (Array(other), Array(self))
    guard a.count - b.count < 2 else { return false }
    var head = 0
    while head < b.count, a[head] == b[head] { head += 1 }
    if a.count > b.count { return a[(head + 1)...].elementsEqual(b[head...]) }
    guard head < b.count else { return false }
    if a[(head + 1)...].elementsEqual(b[(head + 1)...]) { return true }
    return head + 1 < b.count && a[head] == b[head + 1] && a[head + 1] == b[head]
      && a[(head + 2)...].elementsEqual(b[(head + 2)...])
  }
}
