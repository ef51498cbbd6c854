extension ScriptOption {
  private static let processor = "all work is done on the processor"
  private static let single = "one process trains"

  /// After the parsers of sd-scripts and musubi-tuner as of 2026, and what older versions had.
  static let groups: [Group] = withoutEffect + refused + ofOtherScripts + ofOtherModels

  private static let withoutEffect: [Group] = [
    Group(
      fate: .withoutEffect, reason: "attention is always computed in tiles",
      flags: """
        xformers mem_eff_attn sdpa flash_attn sage_attn flash3 split_attn use_flash_attn use_sage_attn
        diffusers_xformers use_32bit_attention
        """, values: "attn_mode"),
    Group(
      fate: .withoutEffect, reason: processor,
      flags: """
        torch_compile compile compile_fullgraph dynamo_fullgraph dynamo_use_fullgraph dynamo_use_dynamic
        dynamo_dynamic lowram highvram lowvram use_pinned_memory_for_block_swap block_swap_h2d_only
        img_in_txt_in_offloading cpu_offload_checkpointing unsloth_offload_checkpointing
        gradient_checkpointing_cpu_offload fused_backward_pass blockwise_fused_optimizers cuda_allow_tf32
        cuda_cudnn_benchmark offload_inactive_dit offload_dit_during_sampling vae_cache_cpu text_encoder_cpu
        """,
      values: """
        dynamo_backend dynamo_mode compile_backend compile_mode compile_dynamic compile_cache_size_limit
        block_swap_ring_size device t5xxl_device fused_optimizer_groups gpu_ids
        """),
    Group(
      fate: .withoutEffect, reason: "'--blocks_to_swap' counts blocks of all kinds in one row",
      values: "single_blocks_to_swap double_blocks_to_swap"),
    Group(
      fate: .withoutEffect, reason: "the VAE is always computed in f32",
      flags: "no_half_vae vae_tiling vae_disable_cache",
      values: "vae_dtype vae_chunk_size vae_spatial_tile_sample_min_size"),
    Group(
      fate: .withoutEffect, reason: "adapter and gradients are always f32",
      flags: "full_fp16 full_bf16 fp16_master_weights_and_gradients"),
    Group(
      fate: .withoutEffect, reason: "'--base_weights_dtype int8' is what saves memory here",
      flags: "fp8_base_unet fp8_vl fp8_t5 fp8_llm fp8_te fp8_text_encoder",
      values: "text_encoder_dtype t5xxl_dtype"),
    Group(
      fate: .withoutEffect,
      reason: "captions and pictures of this model come encoded, in the caches of the dataset",
      values: "text_encoder text_encoder1 text_encoder2 image_encoder t5 clip"),
    Group(
      fate: .withoutEffect, reason: "the model is recognized by its file",
      flags: "force_v2_1_time_embedding", values: "task dit_in_channels num_layers model_type"),
    Group(
      fate: .withoutEffect, reason: single,
      flags: """
        ddp_gradient_as_bucket_view ddp_static_graph deepspeed zero3_init_flag zero3_save_16bit_model
        multi_gpu
        """,
      values: """
        ddp_timeout zero_stage offload_optimizer_device offload_optimizer_nvme_path offload_param_device
        offload_param_nvme_path num_processes num_machines machine_rank main_process_port main_process_ip
        """),
    Group(
      fate: .withoutEffect, reason: "'--threads' says how many threads there are",
      values: "num_cpu_threads_per_process"),
    Group(
      fate: .withoutEffect, reason: "images are read ahead by as many threads as help",
      flags: "persistent_data_loader_workers", values: "max_data_loader_n_workers"),
    Group(
      fate: .withoutEffect, reason: "the vocabulary is built in", values: "tokenizer_cache_dir"),
    Group(
      fate: .withoutEffect, reason: "outputs are always safetensors",
      flags: "use_safetensors mem_eff_save", values: "save_model_as"),
    Group(
      fate: .withoutEffect, reason: "files are always mapped",
      flags: "disable_mmap_load_safetensors disable_numpy_memmap"),
    Group(
      fate: .withoutEffect, reason: "image sizes are read from the files", flags: "cache_info"),
    Group(
      fate: .withoutEffect, reason: "'--plan' prints what would be trained",
      flags: "debug_dataset output_config log_loss_stats"),
    Group(
      fate: .withoutEffect, reason: "the metadata of the adapter hold the settings",
      flags: "log_config"),
    Group(
      fate: .withoutEffect, reason: "TensorBoard needs none", values: "log_tracker_config"),
    Group(
      fate: .withoutEffect, reason: "nothing is uploaded",
      flags: "save_state_to_huggingface async_upload use_wandb",
      values: """
        wandb_api_key wandb_run_name huggingface_repo_id huggingface_repo_type huggingface_path_in_repo
        huggingface_token huggingface_repo_visibility
        """),
    Group(
      fate: .withoutEffect,
      reason:
        "samples are drawn one by one, by '--sample_sampler', and the VAE is read for them alone",
      flags: "no_vae_load one_frame", values: "sample_batch_size sampler_preset"),
    Group(
      fate: .withoutEffect, reason: "messages are few", flags: "console_log_simple",
      values: "console_log_level console_log_file"),
    Group(
      fate: .withoutEffect,
      reason: "captions are encoded one by one", values: "text_encoder_batch_size"),
    Group(
      fate: .withoutEffect, reason: "metadata describe this model and have no picture",
      values: """
        metadata_thumbnail metadata_preprocessor metadata_is_negative_embedding metadata_arch metadata_reso
        """),
    Group(
      fate: .withoutEffect, reason: "'lyco-merge' merges", values: "save_merged_model"),
    Group(
      fate: .withoutEffect,
      reason:
        "masks are 'conditioning_data_dir' of a subset in '--dataset_config', or '--alpha_mask'",
      values: "conditioning_data_dir"),
    Group(
      fate: .withoutEffect,
      reason: "of kohya's scripts for Stable Diffusion 3 only that for whole models reads it",
      flags: "enable_scaled_pos_embed save_clip save_t5xxl use_t5xxl_cache_only",
      values: "pos_emb_random_crop_rate"),
    Group(
      fate: .withoutEffect, reason: "'--blocks_to_swap' is what saves memory here",
      flags: "split_mode"),
    Group(
      fate: .withoutEffect, reason: "it belongs to other models that find a flow",
      values: "initial_sigma"),
  ]

  private static let refused: [Group] = [
    Group(
      fate: .refused, reason: "cropping around faces is not supported; crop the images beforehand",
      values: "face_crop_aug_range"),
    Group(
      fate: .refused, reason: "datasets are those of '--train_data_dir' and '--dataset_config'",
      values: "dataset_class"),
    Group(
      fate: .refused,
      reason:
        "it draws times and trains nothing, which is not done here: remove it, or see with '--plan' what would "
        + "be trained", values: "show_timesteps show_timesteps_resolution"),
    Group(
      fate: .refused,
      reason: "a state is a folder here: download it, and name the folder by '--resume'",
      flags: "resume_from_huggingface"),
    Group(
      fate: .refused,
      reason:
        "T5 is not trained here: remove it, and the transformer is trained, and CLIP unless "
        + "'--network_train_unet_only' is given", flags: "train_t5xxl"),
    Group(
      fate: .refused, reason: "models for inpainting are not trained here",
      flags: "train_inpainting"),
  ]

  private static let ofOtherScripts: [Group] = [
    Group(
      fate: .ofOtherScripts,
      reason:
        "it is an option of kohya's train_db.py; the text encoder is trained to the end, or not "
        + "with '--network_train_unet_only'", values: "stop_text_encoder_training"),
    Group(
      fate: .ofOtherScripts,
      reason: "it is an option of scripts that train whole models; here it is '--text_encoder_lr'",
      values: "learning_rate_te learning_rate_te1 learning_rate_te2 learning_rate_te3"),
    Group(
      fate: .ofOtherScripts,
      reason: "it is an option of scripts that train whole models, and adapters are trained here",
      flags: "train_text_encoder no_token_padding skip_latents_validity_check",
      values: "block_lr num_last_block_to_freeze", lists: "trainable_modules"),
    Group(
      fate: .ofOtherScripts,
      reason: "it belongs to textual inversion, which is not trained here",
      flags: "use_object_template use_style_template",
      values: "token_string init_word num_vectors_per_token weights"),
    Group(
      fate: .ofOtherScripts, reason: "it belongs to ControlNet, which is not trained here",
      values: "controlnet_model_name_or_path cond_emb_dim control_net_lr"),
  ]

  /// Files and parts of models; which models, in `reason`.
  private static let ofOtherModels: [Group] = [
    Group(
      fate: .ofOtherModel, reason: "Lumina",
      values: "gemma2 gemma2_max_token_length system_prompt"),
    Group(
      fate: .ofOtherModel, reason: "HunyuanImage", values: "byt5"),
    Group(
      fate: .ofOtherModel, reason: "Anima",
      values: """
        qwen3 qwen3_max_token_length llm_adapter_path llm_adapter_lr t5_tokenizer_path t5_max_token_length
        self_attn_lr cross_attn_lr mlp_lr mod_lr
        """),
    Group(
      fate: .ofOtherModel, reason: "FramePack",
      flags: "f1 one_frame_no_2x one_frame_no_4x bulk_decode",
      values: "latent_window_size"),
    Group(
      fate: .ofOtherModel, reason: "Qwen-Image-Layered", flags: "remove_first_image_from_target"),
    Group(
      fate: .ofOtherModel, reason: "FLUX.2", flags: "self_flow",
      values: """
        self_flow_gamma self_flow_gamma_warmup_steps mask_ratio student_feature_layer teacher_feature_layer
        self_flow_teacher_coupling_prob self_flow_teacher_coupling_decay self_flow_teacher_coupling_decay_steps
        self_flow_teacher_mismatch_ratio network_weights_ema network_weights_proj
        """),
    Group(
      fate: .ofOtherModel, reason: "HunyuanVideo 1.5", flags: "vae_enable_patch_conv",
      values: "vae_sample_size"),
    Group(
      fate: .ofOtherModel, reason: "Z-Image or HiDream", flags: "block_swap_optimizer_patch_params"),
    Group(
      fate: .ofOtherModel, reason: "Kandinsky 5",
      flags: "force_nabla_attention nabla_add_sta no_nabla_add_sta",
      values: """
        text_encoder_qwen text_encoder_clip nabla_P nabla_method nabla_wH nabla_wT nabla_wW i2v_mode
        scheduler_scale override_dit
        """),
    Group(
      fate: .ofOtherModel, reason: "Ideogram 4, Krea 2 or HiDream",
      flags: """
        use_unconditional_dit_for_lora_sampling validate_caption_structure warn_on_caption_issues turbo_dit_cache
        dino_loss_no_norm dino_loss_use_gram skip_t2i_visual_dummy
        """,
      values: """
        unconditional_dit turbo_dit ideogram4_timestep_mu ideogram4_timestep_std dino_loss_backend
        dino_loss_every_n_steps dino_loss_feature_mode dino_loss_layer dino_loss_model_type dino_loss_resize
        dino_loss_weight noise_clip_std noise_scale_end noise_scale_start
        """),
  ]
}
