#!/usr/bin/env python3
"""Writes Fixtures/training/kohya: configuration files in the forms that front ends of kohya's scripts write.

The files of kohya_ss come from the keys and values of its presets (presets.json beside them, which
`--presets CHECKOUT` makes anew from a checkout of kohya_ss) by what its page "LoRA" does with them. The others
are in the form of LyCORIS' examples, lora-scripts, kohya-colab and LoRA_Easy_Training_Scripts, with values of
our own. BASE, IMAGES, OUTPUT and LOGS stand for paths.
"""

import argparse
import collections
import json
import math
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent / "Fixtures" / "training" / "kohya"

# Keys of presets that hold somebody's paths and words, and nothing that a trainer would treat differently.
PRIVATE = {
    "ae": "", "clip_l": "", "t5xxl": "", "dataset_config": "", "logging_dir": "LOGS", "lora_network_weights": "",
    "network_weights": "", "output_dir": "OUTPUT", "output_name": "style", "pretrained_model_name_or_path": "BASE",
    "reg_data_dir": "", "resume": "", "sample_prompts": "", "train_data_dir": "IMAGES", "training_comment": "",
    "model_list": "custom", "wandb_run_name": "", "wandb_api_key": "",
}  # fmt: skip
# What the page fills in where a preset says nothing.
STANDARD = {
    "LyCORIS_preset": "full", "adaptive_noise_scale": 0, "async_upload": False, "bucket_no_upscale": True,
    "bucket_reso_steps": 64, "bypass_mode": False, "cache_latents_to_disk": False, "caption_dropout_every_n_epochs": 0,
    "caption_dropout_rate": 0, "constrain": 0, "conv_alpha": 1, "conv_dim": 1, "debiased_estimation_loss": False, "dim_from_weights": False,
    "dora_wd": False, "dynamo_backend": "no", "enable_bucket": True, "factor": -1, "fp8_base": False,
    "full_bf16": False, "gradient_accumulation_steps": 1, "huber_c": 0.1, "huber_scale": 1, "huber_schedule": "snr",
    "huggingface_path_in_repo": "", "huggingface_repo_id": "", "huggingface_repo_type": "",
    "huggingface_repo_visibility": "", "huggingface_token": "", "ip_noise_gamma": 0,
    "ip_noise_gamma_random_strength": False, "log_config": False, "log_tracker_config": "", "log_tracker_name": "",
    "log_with": "", "loraplus_lr_ratio": 0, "loraplus_text_encoder_lr_ratio": 0, "loraplus_unet_lr_ratio": 0,
    "loss_type": "l2", "lr_scheduler_args": "", "lr_scheduler_num_cycles": 1, "lr_scheduler_power": 1,
    "lr_scheduler_type": "", "lr_warmup": 0, "lr_warmup_steps": 0, "masked_loss": False, "max_bucket_reso": 2048,
    "max_grad_norm": 1, "max_timestep": 1000, "max_train_epochs": 0, "max_train_steps": 0, "metadata_author": "",
    "metadata_description": "", "metadata_license": "", "metadata_tags": "", "metadata_title": "",
    "min_bucket_reso": 256, "min_timestep": 0, "module_dropout": 0, "multires_noise_discount": 0.3,
    "multires_noise_iterations": 0, "network_dropout": 0, "noise_offset_random_strength": False,
    "noise_offset_type": "Original", "optimizer_args": "", "rank_dropout": 0, "rank_dropout_scale": False,
    "rescaled": False, "resume_from_huggingface": "", "sample_every_n_epochs": 0, "sample_every_n_steps": 0,
    "sample_sampler": "euler_a", "save_every_n_steps": 0, "save_last_n_epochs": 0, "save_last_n_epochs_state": 0,
    "save_last_n_steps": 0, "save_last_n_steps_state": 0, "save_model_as": "safetensors", "save_state": False,
    "save_state_on_train_end": False, "save_state_to_huggingface": False, "scale_weight_norms": 0,
    "skip_cache_check": False, "train_inpainting": False, "train_norm": False, "train_on_input": True, "unit": 1,
    "use_scalar": False, "use_tucker": False, "v_pred_like_loss": 0, "vae": "", "vae_batch_size": 0,
    "caption_extension": ".txt", "logging_dir": "", "max_resolution": "512,512", "max_token_length": 75,
    "mixed_precision": "fp16", "output_dir": "OUTPUT", "output_name": "style", "pretrained_model_name_or_path": "BASE",
    "save_precision": "fp16", "train_data_dir": "IMAGES", "clip_skip": 1,
}  # fmt: skip
IMAGES = 48 * 10


def numeral(value):
    """A number from what a field of numbers may hold: a number, its text, or nothing."""
    if value in ("", None):
        return 0
    if isinstance(value, str):
        value = float(value)
        return int(value) if value.is_integer() else value
    return value


def read_presets(checkout):
    """Keys and values of the presets and test configurations of adapters, as the usual ones and what differs."""
    files = sorted(checkout.glob("presets/lora/*.json"))
    files += sorted(checkout.glob("test/config/*.json"))
    presets = []
    for file in files:
        values = json.loads(file.read_text())
        if "LoRA_type" not in values:
            continue
        values = {k: PRIVATE.get(k, v) for k, v in values.items()}
        presets.append((file.stem, values))
    usual = {}
    for key in sorted({k for _, values in presets for k in values}):
        counts = collections.Counter(json.dumps(v[key]) for _, v in presets if key in v)
        usual[key] = json.loads(counts.most_common(1)[0][0])
    data = {"usual": usual, "presets": []}
    for name, values in presets:
        data["presets"].append({
            "name": name,
            "differs": {k: v for k, v in values.items() if json.dumps(v) != json.dumps(usual[k])},
            "lacks": sorted(set(usual) - set(values)),
        })  # fmt: skip
    lines = [json.dumps(preset) for preset in data["presets"]]
    text = '{"usual": ' + json.dumps(data["usual"]) + ',\n"presets": [\n' + ",\n".join(lines) + "\n]}\n"
    (ROOT / "presets.json").write_text(text)


def preset_values(data):
    for preset in data["presets"]:
        values = {k: v for k, v in data["usual"].items() if k not in preset["lacks"]}
        yield preset["name"], collections.defaultdict(lambda: None, {**STANDARD, **values, **preset["differs"]})


def network(v):
    """Module and arguments of the page's kinds of networks."""
    kind = v["LoRA_type"]
    if kind.startswith("LyCORIS/"):
        algo = {"LoCon": "locon", "LoHa": "loha", "LoKr": "lokr", "iA3": "ia3", "DyLoRA": "dylora", "Diag-OFT": "diag-oft"}
        algo = algo[kind.split("/")[1]]
        keys = {
            "locon": "use_tucker rank_dropout bypass_mode dora_wd module_dropout use_tucker use_scalar "
            "rank_dropout_scale algo train_norm",
            "loha": "use_tucker rank_dropout bypass_mode dora_wd module_dropout use_tucker use_scalar "
            "rank_dropout_scale algo train_norm",
            "lokr": "use_tucker rank_dropout bypass_mode dora_wd module_dropout factor use_cp use_scalar "
            "decompose_both rank_dropout_scale algo train_norm",
            "ia3": "train_on_input algo",
            "dylora": "use_tucker block_size=unit rank_dropout module_dropout algo train_norm",
            "diag-oft": "module_dropout use_tucker rank_dropout rank_dropout_scale constraint=constrain rescaled algo "
            "train_norm",
        }[algo]
        arguments = [f"preset={v['LyCORIS_preset']}", f"conv_dim={v['conv_dim']}", f"conv_alpha={v['conv_alpha']}"]
        for key in keys.split():
            name, _, source = key.partition("=")
            arguments.append(f"{name}={algo if name == 'algo' else v[source or name]}")
        return "lycoris.kohya", arguments
    blocks = "down_lr_weight mid_lr_weight up_lr_weight block_lr_zero_threshold block_dims block_alphas " \
        "conv_block_dims conv_block_alphas rank_dropout module_dropout".split()  # fmt: skip
    extra = [f"{key}={v[key]}" for key in blocks if v.get(key)]
    if kind == "Flux1":
        return "networks.lora_flux", ["train_blocks=" + v["train_blocks"]] + extra
    if kind == "Kohya LoCon":
        return "networks.lora", [f"conv_dim={v['conv_dim']}", f"conv_alpha={v['conv_alpha']}"] + extra
    return "networks.lora", extra


# Keys that are handed on as they are.
PLAIN = """adaptive_noise_scale async_upload bucket_no_upscale bucket_reso_steps cache_latents cache_latents_to_disk
caption_dropout_rate caption_extension clip_skip color_aug debiased_estimation_loss dynamo_backend dim_from_weights
enable_bucket flip_aug fp8_base full_bf16 full_fp16 gradient_checkpointing huber_c huber_scale huber_schedule
huggingface_repo_id huggingface_token huggingface_repo_type huggingface_repo_visibility huggingface_path_in_repo
ip_noise_gamma ip_noise_gamma_random_strength logging_dir log_config log_tracker_name log_tracker_config loss_type
lr_scheduler lr_scheduler_power lr_scheduler_type masked_loss max_bucket_reso max_grad_norm mem_eff_attn
metadata_author metadata_description metadata_license metadata_tags metadata_title min_snr_gamma max_timestep
min_timestep mixed_precision network_alpha network_dim network_dropout noise_offset_type output_dir output_name
pretrained_model_name_or_path prior_loss_weight random_crop reg_data_dir resume resume_from_huggingface
sample_every_n_epochs sample_every_n_steps sample_sampler save_every_n_epochs save_every_n_steps save_last_n_steps
save_last_n_steps_state save_last_n_epochs save_last_n_epochs_state save_model_as save_precision save_state
save_state_on_train_end save_state_to_huggingface scale_v_pred_loss_like_noise_pred scale_weight_norms shuffle_caption
skip_cache_check train_batch_size train_data_dir train_inpainting training_comment log_with v2 v_parameterization
v_pred_like_loss vae vae_batch_size weighted_captions""".split()


def page(v):
    """The file that the page writes, and what stands behind it on the command line."""
    config = {key: v.get(key) for key in PLAIN}
    module, arguments = network(v)
    rates = [float(numeral(v[key])) for key in ("learning_rate", "text_encoder_lr", "unet_lr")]
    original, multires = (v["noise_offset_type"] == kind for kind in ("Original", "Multires"))
    epochs, accumulation = int(numeral(v["epoch"])), int(numeral(v["gradient_accumulation_steps"]))
    steps = int(numeral(v["max_train_steps"])) or math.ceil(
        IMAGES / int(numeral(v["train_batch_size"])) / accumulation * epochs)  # fmt: skip
    warmup = int(numeral(v["lr_warmup_steps"])) or numeral(v["lr_warmup"]) / 100
    config |= {
        "adaptive_noise_scale": v["adaptive_noise_scale"] if original else None,
        "caption_dropout_every_n_epochs": int(numeral(v["caption_dropout_every_n_epochs"])),
        "epoch": epochs,
        "gradient_accumulation_steps": accumulation,
        "keep_tokens": int(numeral(v["keep_tokens"])),
        "learning_rate": rates[0],
        "lr_scheduler_args": str(v["lr_scheduler_args"]).replace('"', "").split(),
        "lr_scheduler_num_cycles": int(numeral(v["lr_scheduler_num_cycles"])) or epochs,
        "lr_warmup_steps": warmup,
        "max_token_length": int(numeral(v["max_token_length"])),
        "max_train_epochs": int(numeral(v["max_train_epochs"])),
        "max_train_steps": steps,
        "min_bucket_reso": int(numeral(v["min_bucket_reso"])),
        "multires_noise_discount": v["multires_noise_discount"] if multires else None,
        "multires_noise_iterations": v["multires_noise_iterations"] if multires else None,
        "network_args": arguments,
        "network_module": module,
        "network_train_text_encoder_only": rates[1] != 0 and rates[2] == 0,
        "network_train_unet_only": rates[1] == 0 and rates[2] != 0,
        "no_half_vae": bool(v.get("sdxl")) and v.get("sdxl_no_half_vae"),
        "cache_text_encoder_outputs": bool(v.get("sdxl")) and v.get("sdxl_cache_text_encoder_outputs"),
        "noise_offset": v["noise_offset"] if original else None,
        "noise_offset_random_strength": v["noise_offset_random_strength"] if original else None,
        "optimizer_args": str(v["optimizer_args"]).replace('"', "").split(),
        "optimizer_type": v["optimizer"],
        "persistent_data_loader_workers": int(v["persistent_data_loader_workers"] or 0),
        "resolution": v["max_resolution"],
        "sdpa": v["xformers"] == "sdpa",
        "seed": int(numeral(v["seed"])),
        "text_encoder_lr": [rates[1], rates[1]] if rates[1] > 0 else None,
        "unet_lr": rates[2],
        "wandb_run_name": "style",
        "xformers": v["xformers"] in (True, "xformers"),
    }
    if v.get("flux1_checkbox"):
        config |= {
            "ae": "AE", "apply_t5_attn_mask": True, "cache_text_encoder_outputs": True, "clip_l": "CLIP",
            "discrete_flow_shift": 3.0, "guidance_scale": 1.0, "model_prediction_type": "raw", "t5xxl": "T5",
            "t5xxl_max_token_length": 512, "timestep_sampling": "sigmoid",
        }  # fmt: skip
    # As the page does it, this leaves out 0 as well.
    config = {k: value for k, value in config.items() if value not in ("", False, None)}
    config["max_data_loader_n_workers"] = int(numeral(v["max_data_loader_n_workers"]))
    extra = (v["additional_parameters"] or "").replace('"', "").split()
    return dict(sorted(config.items())), extra + ["--max_data_loader_n_workers", str(config["max_data_loader_n_workers"])]


def toml_value(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[ " + "".join(toml_value(element) + ", " for element in value) + "]"
    return json.dumps(value) if isinstance(value, str) else repr(value)


def toml(table, prefix=""):
    """Keys, then tables, then lists of tables; nothing is sorted."""
    lines = []
    for key, value in table.items():
        if not isinstance(value, dict) and not (isinstance(value, list) and value and isinstance(value[0], dict)):
            lines.append(f"{key} = {toml_value(value)}")
    for key, value in table.items():
        name = prefix + key
        if isinstance(value, dict):
            lines += ["", f"[{name}]", toml(value, name + ".").rstrip("\n")]
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for element in value:
                lines += ["", f"[[{name}]]", toml(element, name + ".").rstrip("\n")]
    return "\n".join(lines).strip("\n") + "\n"


def write(path, table, arguments=()):
    file = ROOT / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(toml(table))
    if arguments:
        file.with_suffix(".args").write_text("\n".join(arguments) + "\n")


def lycoris():
    """The form of LyCORIS' example_configs/training_configs/kohya."""
    networks = {
        "lora": ["preset=attn-mlp", "algo=lora"],
        "loha": ["preset=attn-mlp", "algo=loha"],
        "lokr": ["preset=attn-mlp", "algo=lokr", "factor=8"],
        "full": ["preset=attn-mlp", "algo=full", "train_norm=True"],
        "ia3": ["preset=ia3", "algo=ia3"],
    }
    for name, arguments in networks.items():
        setup = {"network_dim": 8, "network_alpha": 4} if name in ("lora", "loha", "lokr") else {}
        write(f"lycoris/{name}.toml", {
            "Basics": {"pretrained_model_name_or_path": "BASE", "train_data_dir": "IMAGES", "resolution": "512",
                       "seed": 5, "max_train_steps": 2000, "max_train_epochs": 3, "clip_skip": 2},
            "Save": {"output_dir": "OUTPUT", "output_name": "style", "save_precision": "fp16",
                     "save_model_as": "safetensors", "save_every_n_epochs": 5, "save_every_n_steps": 2500,
                     "save_state": False, "save_last_n_steps_state": 1},
            "SDv2": {"v2": False, "v_parameterization": False, "scale_v_pred_loss_like_noise_pred": False},
            "Network_setup": {**setup, "dim_from_weights": False, "network_dropout": 0,
                              "network_train_unet_only": False, "network_train_text_encoder_only": False,
                              "resume": False},
            "LyCORIS": {"network_module": "lycoris.kohya", "network_args": arguments},
            "Optimizer": {"train_batch_size": 4, "gradient_checkpointing": False, "gradient_accumulation_steps": 1,
                          "optimizer_type": "AdamW8bit", "unet_lr": 1e-4, "text_encoder_lr": 1e-4,
                          "max_grad_norm": 1.0, "optimizer_args": ["weight_decay=0.05", "betas=0.9,0.99"]},
            "Lr_scheduler": {"lr_scheduler_type": "", "lr_scheduler": "constant", "lr_warmup_steps": 0,
                             "lr_scheduler_num_cycles": 1, "lr_scheduler_power": 1.0},
            "Training_preciscion": {"mixed_precision": "bf16", "full_fp16": False},
            "Further_improvement": {"min_snr_gamma": 5, "multires_noise_discount": 0.3,
                                    "multires_noise_iterations": 8},
            "ARB": {"enable_bucket": True, "min_bucket_reso": 320, "max_bucket_reso": 960, "bucket_reso_steps": 64,
                    "bucket_no_upscale": False},
            "Captions": {"shuffle_caption": False, "caption_extension": ".txt", "keep_tokens": 0,
                         "caption_dropout_rate": 0.1, "caption_dropout_every_n_epochs": 0,
                         "caption_tag_dropout_rate": 0.0, "max_token_length": 150, "weighted_captions": False,
                         "token_warmup_min": 1, "token_warmup_step": 0},
            "Attention": {"mem_eff_attn": False, "xformers": True},
            "Data_augmentation": {"color_aug": False, "flip_aug": False, "random_crop": False},
            "Cache_latents": {"cache_latents": True, "vae_batch_size": 1, "cache_latents_to_disk": True},
            "Sampling_during_training": {"sample_sampler": "ddim"},
            "Logging": {"logging_dir": "LOGS", "log_with": "tensorboard", "log_prefix": "style_"},
            "Dataset": {"max_data_loader_n_workers": 4, "persistent_data_loader_workers": True, "dataset_repeats": 1},
            "Regularization": {"prior_loss_weight": 1.0},
            "Huggingface": {"save_state_to_huggingface": False, "resume_from_huggingface": False,
                            "async_upload": False},
            "Debugging": {"debug_dataset": False},
            "Deprecated": {"use_8bit_adam": False, "use_lion_optimizer": False, "learning_rate": 2e-4},
            "Others": {"lowram": False, "training_comment": ""},
        })  # fmt: skip


def lora_scripts():
    """The form of Akegarasu's lora-scripts: sections, or one level as its page writes it."""
    sections = {
        "model": {"v2": False, "v_parameterization": False, "pretrained_model_name_or_path": "BASE"},
        "dataset": {"train_data_dir": "IMAGES", "reg_data_dir": "", "prior_loss_weight": 1, "cache_latents": True,
                    "shuffle_caption": True, "enable_bucket": True},
        "additional_network": {"network_dim": 16, "network_alpha": 8, "network_train_unet_only": False,
                               "network_train_text_encoder_only": False, "network_module": "networks.lora",
                               "network_args": []},
        "optimizer": {"unet_lr": 2e-4, "text_encoder_lr": 2e-5, "optimizer_type": "AdamW8bit",
                      "lr_scheduler": "cosine_with_restarts", "lr_warmup_steps": 0, "lr_restart_cycles": 1},
        "training": {"resolution": "512,512", "train_batch_size": 2, "max_train_epochs": 5, "noise_offset": 0.0,
                     "keep_tokens": 0, "xformers": True, "lowram": False, "clip_skip": 2, "mixed_precision": "fp16",
                     "save_precision": "fp16"},
        "sample_prompt": {"sample_sampler": "euler_a", "sample_every_n_epochs": 1},
        "saving": {"output_name": "style", "save_every_n_epochs": 1, "save_n_epoch_ratio": 0,
                   "save_last_n_epochs": 499, "save_state": False, "save_model_as": "safetensors",
                   "output_dir": "OUTPUT", "logging_dir": "LOGS", "log_prefix": "style"},
        "others": {"min_bucket_reso": 256, "max_bucket_reso": 1024, "caption_extension": ".txt",
                   "max_token_length": 225, "seed": 99},
    }  # fmt: skip
    write("lora-scripts/sections.toml", sections)
    flat = {key: value for section in sections.values() for key, value in section.items()}
    page = {
        "model_train_type": "sd-lora", **flat, "learning_rate": "1e-4", "unet_lr": "1e-4", "text_encoder_lr": "1e-5",
        "optimizer_args": [], "lr_scheduler_num_cycles": 1, "loss_type": "l2", "bucket_no_upscale": True,
        "bucket_reso_steps": 64, "enable_preview": False, "positive_prompts": "a bag", "negative_prompts": "",
        "sample_width": 512, "sample_height": 512, "sample_cfg": 7, "sample_seed": 1, "sample_steps": 20,
        "randomly_choice_prompt": False, "log_with": "tensorboard", "max_data_loader_n_workers": 0,
        "persistent_data_loader_workers": True, "gradient_checkpointing": True, "no_half_vae": True,
        "lr_scheduler_args": [],
    }  # fmt: skip
    write("lora-scripts/page.toml", page)
    write("lora-scripts/page-lokr.toml", page | {
        "network_module": "lycoris.kohya", "lycoris_algo": "lokr", "conv_dim": 4, "conv_alpha": 1, "dropout": 0,
        "train_norm": False, "lokr_factor": -1, "algo": "lokr",
        "network_args": ["conv_dim=4", "conv_alpha=1", "dropout=0", "algo=lokr", "factor=-1", "train_norm=False"],
        "optimizer_type": "Prodigy", "learning_rate": "1", "unet_lr": "1", "text_encoder_lr": "1",
        "optimizer_args": ["decouple=True", "weight_decay=0.01", "use_bias_correction=True", "d_coef=2.0"],
        "stop_text_encoder_training": 0, "network_weights": "", "gpu_ids": ["GPU 0"],
    })  # fmt: skip


def colab():
    """The form of hollowstrawberry's kohya-colab: a configuration and one of datasets."""
    variants = {
        "lora": ("networks.lora", [], "AdamW8bit", ["weight_decay=0.1", "betas=[0.9,0.99]"], 5e-4, 1e-4),
        "locon": ("networks.lora", ["conv_dim=8", "conv_alpha=4"], "Adafactor",
                  ["scale_parameter=False", "relative_step=False", "warmup_init=False"], 5e-4, 1e-4),
        "prodigy": ("networks.lora", [], "Prodigy",
                    ["decouple=True", "weight_decay=0.01", "betas=[0.9,0.999]", "d_coef=2", "use_bias_correction=True",
                     "safeguard_warmup=True"], 0.75, 0.75),
    }  # fmt: skip
    for name, (module, arguments, optimizer, settings, unet, text) in variants.items():
        network = {"unet_lr": unet, "text_encoder_lr": text, "network_dim": 16, "network_alpha": 8,
                   "network_module": module}  # fmt: skip
        if arguments:
            network["network_args"] = arguments
        write(f"colab/{name}.toml", {
            "additional_network_arguments": network,
            "optimizer_arguments": {"learning_rate": unet, "lr_scheduler": "cosine_with_restarts",
                                    "lr_scheduler_num_cycles": 3, "lr_warmup_steps": 24, "optimizer_type": optimizer,
                                    "optimizer_args": settings},
            "training_arguments": {"max_train_epochs": 10, "save_every_n_epochs": 1, "save_last_n_epochs": 10,
                                   "train_batch_size": 2, "clip_skip": 2, "min_snr_gamma": 5.0,
                                   "weighted_captions": False, "seed": 42, "max_token_length": 225, "xformers": True,
                                   "lowram": True, "max_data_loader_n_workers": 8,
                                   "persistent_data_loader_workers": True, "save_precision": "fp16",
                                   "mixed_precision": "fp16", "output_dir": "OUTPUT", "logging_dir": "LOGS",
                                   "output_name": "style", "log_prefix": "style"},
            "model_arguments": {"pretrained_model_name_or_path": "BASE", "v2": False},
            "saving_arguments": {"save_model_as": "safetensors"},
            "dreambooth_arguments": {"prior_loss_weight": 1.0},
            "dataset_arguments": {"cache_latents": True},
        }, ["--dataset_config", f"{name}.dataset.toml"])  # fmt: skip
        write(f"colab/{name}.dataset.toml", {
            "general": {"resolution": 512, "shuffle_caption": True, "keep_tokens": 1, "flip_aug": False,
                        "caption_extension": ".txt", "enable_bucket": True, "bucket_reso_steps": 64,
                        "bucket_no_upscale": False, "min_bucket_reso": 256, "max_bucket_reso": 1024},
            "datasets": [{"subsets": [{"num_repeats": 10, "image_dir": "IMAGES/10_bag"}]}],
        })  # fmt: skip


def easy_training():
    """The form in which LoRA_Easy_Training_Scripts saves its page, and the two files it starts the scripts with."""
    subset = {"num_repeats": 10, "keep_tokens": 1, "caption_extension": ".txt", "shuffle_caption": True,
              "flip_aug": False, "color_aug": False, "random_crop": False, "is_reg": False,
              "image_dir": "IMAGES/10_bag"}  # fmt: skip
    general = {"pretrained_model_name_or_path": "BASE", "mixed_precision": "bf16", "seed": 23, "clip_skip": 2,
               "xformers": True, "max_data_loader_n_workers": 1, "persistent_data_loader_workers": True,
               "max_token_length": 225, "prior_loss_weight": 1.0, "max_train_epochs": 2,
               "cache_latents": True}  # fmt: skip
    saving = {"output_dir": "OUTPUT", "save_precision": "fp16", "save_model_as": "safetensors",
              "output_name": "style", "save_every_n_epochs": 1, "save_toml": True,
              "save_toml_location": "OUTPUT"}  # fmt: skip
    buckets = {"enable_bucket": True, "min_bucket_reso": 256, "max_bucket_reso": 1024, "bucket_reso_steps": 64}
    variants = {
        "lora": ({"network_dim": 8, "network_alpha": 1.0}, {},
                 {"optimizer_type": "AdamW8bit", "lr_scheduler": "cosine", "learning_rate": 1e-4,
                  "lr_scheduler_num_cycles": 2, "warmup_ratio": 0.05, "min_snr_gamma": 5},
                 {"weight_decay": 0.1, "betas": "0.9,0.99"}),
        "locon": ({"network_dim": 8, "network_alpha": 4.0, "network_train_unet_only": True},
                  {"conv_dim": 4, "conv_alpha": 1.0, "algo": "locon", "preset": "attn-mlp"},
                  {"optimizer_type": "Prodigy", "lr_scheduler": "cosine", "learning_rate": 1.0, "max_grad_norm": 1.0,
                   "loss_type": "l2"},
                  {"weight_decay": "0.01", "decouple": "True", "d_coef": "1.0", "betas": "0.9,0.99"}),
    }  # fmt: skip
    for name, (network, arguments, optimizer, settings) in variants.items():
        tables = {"args": network} if not arguments else {"args": {**network, "network_args": arguments}}
        write(f"easy-training/page-{name}.toml", {
            "subsets": [subset], "train_mode": {"train_mode": "lora"}, "noise_args": {}, "sample_args": {},
            "logging_args": {},
            "general_args": {"args": general, "dataset_args": {"resolution": 512, "batch_size": 2}},
            "network_args": tables,
            "optimizer_args": {"args": {**optimizer, "optimizer_args": settings}},
            "saving_args": {"args": saving}, "bucket_args": {"dataset_args": buckets},
        })  # fmt: skip
    runs = {
        "lora": {"network_module": "networks.lora", "network_dim": 8, "network_alpha": 1.0},
        "lokr": {"network_module": "lycoris.kohya", "network_dim": 8, "network_alpha": 4.0,
                 "network_args": ["algo=lokr", "factor=4", "conv_dim=4", "preset=full", "module_dropout=0.1"]},
        "loha": {"network_module": "lycoris.kohya", "network_dim": 4, "network_alpha": 1.0,
                 "network_args": ["algo=loha", "conv_dim=4", "conv_alpha=1.0", "use_tucker=False"]},
    }  # fmt: skip
    for name, network in runs.items():
        write(f"easy-training/run-{name}.toml", {
            **general, **network, "optimizer_type": "AdamW", "lr_scheduler": "cosine", "learning_rate": 1e-4,
            "optimizer_args": ["weight_decay=0.1", "betas=0.9,0.99"], "lr_warmup_steps": 20, **saving,
            "min_timestep": 0, "max_timestep": 1000, "keep_tokens_separator": "|||", "network_dropout": 0.1,
        }, ["--dataset_config", f"run-{name}.dataset.toml"])  # fmt: skip
        write(f"easy-training/run-{name}.dataset.toml", {
            "general": {"resolution": 512, "batch_size": 2, **buckets},
            "datasets": [{"subsets": [subset]}],
        })  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", type=pathlib.Path, metavar="CHECKOUT", help="make presets.json from kohya_ss")
    options = parser.parse_args()
    if options.presets:
        read_presets(options.presets)
    data = json.loads((ROOT / "presets.json").read_text())
    for name, values in preset_values(data):
        file = re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-")
        write(f"gui/{file}.toml", *page(values))
    lycoris()
    lora_scripts()
    colab()
    easy_training()


if __name__ == "__main__":
    main()
