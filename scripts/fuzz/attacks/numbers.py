"""Numbers of `network_args`, presets and datasets that nothing can be multiplied by."""

from .scenarios import scenario
from .trials import altered, trial

VALUES = ["4611686018427387904", "9223372036854775807", "-9223372036854775808", "2147483648", "1e300"]

ARGUMENTS = """alpha block_alphas block_dims block_lr_zero_threshold block_size constraint conv_alpha conv_block_alphas
    conv_block_dims conv_dim down_lr_weight dropout factor loraplus_lr_ratio loraplus_text_encoder_lr_ratio
    loraplus_unet_lr_ratio mid_lr_weight module_dropout rank_dropout up_lr_weight""".split()

OVERRIDES = """alpha block_size constraint conv_alpha conv_dim dim dropout factor linear_alpha linear_dim
    rank_dropout""".split()

DATASET = """batch_size bucket_reso_steps caption_dropout_every_n_epochs caption_dropout_rate caption_tag_dropout_rate
    keep_tokens max_bucket_reso min_bucket_reso network_multiplier num_repeats resolution token_warmup_min
    token_warmup_step validation_seed validation_split""".split()

ALGORITHMS = ["lora", "loha", "lokr", "boft", "diag-oft", "glora", "full", "ia3"]


def numbers(bench):
    train = [*scenario("training over another").arguments, "--max_train_steps", "1", "--dry_run"]
    plain = train[:train.index("--network_args")] + train[train.index("--network_dim"):]
    for value in VALUES:
        for key in ARGUMENTS:
            # Of blocks there are 25.
            text = ",".join([value] * 25) if "block_" in key and key.endswith("s") else value
            for module in ("lycoris.kohya", "networks.lora"):
                yield trial(bench, f"{module} {key}={value}", "lyco-train",
                            [*plain, "--network_module", module, "--network_args", f"{key}={text}"])
        for key in OVERRIDES:
            for algorithm in ALGORITHMS:
                preset = f"target_name = ['a', 'b.*']\n[name_algo_map.a]\nalgo = '{algorithm}'\n{key} = {value}\n"
                yield altered(bench, f"preset: {algorithm} {key} = {value}", "lyco-extract",
                              ["base.safetensors", "tuned.safetensors", "--preset", "f.toml", "-o", "o.safetensors"],
                              {"f.toml": preset})
            preset = f"target_module = ['Transformer2DModel']\n[module_algo_map.Transformer2DModel]\n{key} = {value}\n"
            yield altered(bench, f"preset of a training: {key} = {value}", "lyco-train",
                          [*plain, "--network_args", "preset=f.toml"], {"f.toml": preset})
        for key in DATASET:
            for place in ("[[datasets]]", "[[datasets.subsets]]"):
                entries = {"[[datasets]]": "resolution = 32\nenable_bucket = true\n",
                           "[[datasets.subsets]]": "image_dir = 'images'\n"}
                entries[place] = entries[place].replace("resolution = 32\n", "" if key == "resolution" else "resolution = 32\n")
                entries[place] += f"{key} = {value}\n"
                text = "".join(f"{head}\n{body}" for head, body in entries.items())
                yield altered(bench, f"dataset: {place} {key} = {value}", "lyco-train",
                              ["--pretrained_model_name_or_path", "tiny", "--dataset_config", "f.toml",
                               "--max_train_steps", "1", "--output_dir", "o", "--dry_run"], {"f.toml": text})
