"""What the benchmarks of training run: one picture of noise, or what trainers keep of one, and the command."""

import pathlib

import torch
from PIL import Image
from safetensors.torch import save_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

RANK = 16
# Options of a family beside the common ones.
OPTIONS = {"sd1": (), "sdxl": ("--cache_text_encoder_outputs",), "wan": ()}


def picture(folder, size):
    """A folder of one picture with its caption."""
    folder = folder / "images" / "1_benchmark"
    folder.mkdir(parents=True)
    g = torch.Generator().manual_seed(20251122)
    small = torch.randint(256, (16, 16, 3), generator=g, dtype=torch.uint8)
    Image.fromarray(small.numpy()).resize((size, size)).save(folder / "picture.png")
    (folder / "picture.txt").write_text("a picture to measure with\n")
    return folder.parent


def cache(folder, size):
    """A picture and its caption as musubi-tuner keeps them, and the dataset that names them."""
    folder = folder / "images"
    folder.mkdir()
    g = torch.Generator().manual_seed(20251122)
    place = f"1x{size // 8}x{size // 8}"
    save_file(
        {f"latents_{place}_bfloat16": torch.randn(16, 1, size // 8, size // 8, generator=g).bfloat16()},
        folder / f"picture_{size:04d}x{size:04d}_wan.safetensors",
        {"architecture": "wan", "width": str(size), "height": str(size), "format_version": "1.0.1"})
    save_file(
        {"varlen_t5_bfloat16": torch.randn(77, 4096, generator=g).bfloat16()},
        folder / "picture_wan_te.safetensors",
        {"architecture": "wan", "caption1": "a picture to measure with", "format_version": "1.0.1"})
    (folder / "dataset.toml").write_text(
        f"[general]\nresolution = [{size}, {size}]\n[[datasets]]\nimage_directory = \"{folder}\"\n")


def data(family, folder, size):
    """What a family is measured with, in a folder."""
    (cache if family == "wan" else picture)(folder, size)


def command(bindir, base, family, precision, size, steps, folder):
    """lyco-train on that data, LoRA on attention and feed-forward; events of steps below `folder / "logs"`."""
    common = ["--output_dir", folder / "out", "--output_name", "benchmark", "--network_dim", RANK,
              "--network_alpha", RANK, "--max_train_steps", steps, "--learning_rate", "1e-4",
              "--logging_dir", folder / "logs", "--json", "--mixed_precision",
              "no" if precision == "f32" else "bf16", *OPTIONS[family]]
    if family == "wan":
        return [bindir / "lyco-train", "--dit", base, "--dataset_config", folder / "images/dataset.toml",
                "--network_module", "networks.lora_wan", *common]
    return [bindir / "lyco-train", "--pretrained_model_name_or_path", base, "--train_data_dir",
            folder / "images", "--network_module", "lycoris.kohya", "--network_args", "algo=lora",
            "preset=attn-mlp", "--network_train_unet_only", "--resolution", size, "--cache_latents", *common]


def step_ends(folder):
    """By the wall's clock, when each step was logged."""
    log = next((pathlib.Path(folder) / "logs").rglob("events.out.tfevents.*")).parent
    events = EventAccumulator(str(log))
    events.Reload()
    return [event.wall_time for event in events.Scalars("loss/current")]
