/// Options of kohya's scripts and musubi-tuner that have no effect here, so that commands and files
/// written for them still run.
enum IgnoredOptions {
  private static let processor = "all work is done on the processor"
  private static let attention = "attention is always computed in tiles"
  private static let uploads = "nothing is uploaded"
  private static let samples = "samples are drawn from what is saved, with the tool of your choice"
  private static let workers = "images are read ahead by as many threads as help"

  /// By name: whether a value follows, and why the option has no effect.
  static let all: [String: (takesValue: Bool, reason: String)] = [
    "xformers": (false, attention), "mem_eff_attn": (false, attention), "sdpa": (false, attention),
    "flash_attn": (false, attention), "sage_attn": (false, attention), "flash3": (false, attention),
    "split_attn": (false, attention), "attn_mode": (true, attention),
    "torch_compile": (false, processor), "dynamo_backend": (true, processor),
    "compile": (false, processor), "dynamo_mode": (true, processor),
    "dynamo_fullgraph": (false, processor), "dynamo_dynamic": (false, processor),
    "lowram": (false, processor), "highvram": (false, processor),
    "no_half_vae": (
      false, "the VAE is always computed in f32"
    ),
    "vae_dtype": (true, "the VAE is always computed in f32"),
    "full_fp16": (false, "adapter and gradients are always f32"),
    "full_bf16": (false, "adapter and gradients are always f32"),
    "fp8_base": (false, "'--base_weights_dtype int8' is what saves memory here"),
    "fp8_base_unet": (false, "'--base_weights_dtype int8' is what saves memory here"),
    "fp8_scaled": (false, "'--base_weights_dtype int8' is what saves memory here"),
    "blocks_to_swap": (true, processor), "use_pinned_memory_for_block_swap": (false, processor),
    "block_swap_h2d_only": (false, processor), "block_swap_ring_size": (true, processor),
    "img_in_txt_in_offloading": (false, processor),
    "cpu_offload_checkpointing": (false, processor),
    "gradient_checkpointing_cpu_offload": (false, processor),
    "fused_backward_pass": (false, processor), "device": (true, processor),
    "ddp_timeout": (true, "one process trains"),
    "ddp_gradient_as_bucket_view": (false, "one process trains"),
    "ddp_static_graph": (false, "one process trains"), "deepspeed": (false, "one process trains"),
    "zero_stage": (true, "one process trains"),
    "num_cpu_threads_per_process": (true, "'--threads' says how many"),
    "max_data_loader_n_workers": (true, workers),
    "persistent_data_loader_workers": (false, workers),
    "tokenizer_cache_dir": (true, "the vocabulary is built in"),
    "use_safetensors": (false, "outputs are always safetensors"),
    "disable_mmap_load_safetensors": (false, "files are always mapped"),
    "save_model_as": (true, "outputs are always safetensors"),
    "cache_info": (false, "image sizes are read from the files"),
    "debug_dataset": (false, "'--plan' prints what would be trained"),
    "log_config": (false, "the metadata of the adapter hold the settings"),
    "log_tracker_config": (true, "TensorBoard needs none"),
    "wandb_api_key": (true, uploads), "wandb_run_name": (true, uploads),
    "huggingface_repo_id": (true, uploads), "huggingface_repo_type": (true, uploads),
    "huggingface_path_in_repo": (true, uploads), "huggingface_token": (true, uploads),
    "huggingface_repo_visibility": (true, uploads), "save_state_to_huggingface": (false, uploads),
    "resume_from_huggingface": (false, uploads), "async_upload": (false, uploads),
    "sample_every_n_steps": (true, samples), "sample_every_n_epochs": (true, samples),
    "sample_at_first": (false, samples), "sample_prompts": (true, samples),
    "sample_sampler": (true, samples),
    "console_log_level": (true, "messages are few"), "console_log_file": (true, "messages are few"),
    "console_log_simple": (false, "messages are few"),
    "text_encoder_batch_size": (true, "captions are encoded one by one"),
    "cache_text_encoder_outputs": (
      false, "the text encoder's outputs are kept wherever captions are fixed"
    ),
    "cache_text_encoder_outputs_to_disk": (
      false, "the text encoder's outputs are kept in memory wherever captions are fixed"
    ),
    "num_processes": (true, "one process trains"),
    "metadata_thumbnail": (true, "there is no picture to show"),
    "metadata_preprocessor": (true, "it describes other models"),
    "metadata_is_negative_embedding": (true, "it describes embeddings"),
    "output_config": (false, "'--plan' prints the settings"),
    "save_merged_model": (true, "'lyco-merge' merges"),
    "weighting_scheme": (true, "it belongs to flow matching"),
    "logit_mean": (true, "it belongs to flow matching"),
    "logit_std": (true, "it belongs to flow matching"),
    "mode_scale": (true, "it belongs to flow matching"),
    "discrete_flow_shift": (true, "it belongs to flow matching"),
    "timestep_sampling": (true, "it belongs to flow matching"),
    "sigmoid_scale": (true, "it belongs to flow matching"),
    "guidance_scale": (true, "it belongs to flow matching"),
  ]
}
