#!/usr/bin/env python3
"""Measures steps of lyco-train on a model of real shape whose blocks are not kept in memory: seconds and peaks of
memory, beside the time that reading the checkpoint takes. Prints Markdown.

usage: benchmark-streamed.py BINDIR WORKDIR [--family NAME] [--blocks N] [--size PIXELS] [--steps K] [--memory GB]

NAME is hunyuan-video (default) or flux. WORKDIR needs 26 GB for a checkpoint of random numbers in bf16, which stays
there for the next run. One picture is trained, as musubi-tuner or sd-scripts would cache it, with a LoRA of rank 16 on
the modules that they select (240 and 304). Of K steps (default 2) the first is not counted. Ends with status 1 where
more than --memory GB of anonymous memory are taken.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import typing

import numpy
import torch
from PIL import Image
from safetensors.torch import save_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from measure import measure

HERE = pathlib.Path(__file__).resolve().parent
LAYOUTS = HERE.parents[1] / "Fixtures/families"
TOKENS = 64  # of the caption


def checkpoint(folder, family):
    """The path of the checkpoint, made where it is missing."""
    path = folder / f"{family.name}-bf16.safetensors"
    if not path.exists():
        part = path.with_suffix(".part")
        subprocess.run([sys.executable, HERE / "make-checkpoint.py", "--bf16", LAYOUTS / family.layout, part], check=True)
        part.rename(path)
    return path


def hunyuan_video_items(folder, size):
    """One picture as musubi-tuner caches it; the path of a configuration that names it."""
    g = torch.Generator().manual_seed(20251129)
    metadata = {"architecture": "hunyuan_video", "format_version": "1.0.1"}
    latents = torch.randn(16, 1, size // 8, size // 8, generator=g).half()
    save_file({f"latents_1x{size // 8}x{size // 8}_float16": latents},
              folder / f"a_{size:04}x{size:04}_hv.safetensors",
              {**metadata, "width": str(size), "height": str(size)})
    mask = torch.zeros(256, dtype=torch.int64)
    mask[:TOKENS] = 1
    save_file({"llm_float16": torch.randn(256, 4096, generator=g).half(), "llm_mask": mask,
               "clipL_float16": torch.randn(768, generator=g).half()},
              folder / "a_hv_te.safetensors", {**metadata, "caption1": "a picture"})
    path = folder / "dataset.toml"
    path.write_text(f'[general]\nresolution = [{size}, {size}]\n[[datasets]]\n'
                    f'image_directory = "{folder}"\ncache_directory = "{folder}"\n')
    return path


def flux_items(folder, size):
    """One picture with what sd-scripts caches of it; the path of a configuration that names it."""
    g = numpy.random.default_rng(20251129)
    images, side, rows = folder / "images", size // 8, 512
    images.mkdir()
    Image.new("RGB", (size, size)).save(images / "a.png")
    (images / "a.txt").write_text("a picture")
    numpy.savez(images / f"a_{size:04}x{size:04}_flux.npz", **{
        f"latents_{side}x{side}": g.standard_normal((16, side, side), numpy.float32),
        f"original_size_{side}x{side}": numpy.array([size, size]),
        f"crop_ltrb_{side}x{side}": numpy.array([0, 0, size, size])})
    numpy.savez(images / "a_flux_te.npz", l_pooled=g.standard_normal(768, numpy.float32),
                t5_out=g.standard_normal((rows, 4096), numpy.float32), txt_ids=numpy.zeros((rows, 3), numpy.float32),
                t5_attn_mask=(numpy.arange(rows) < TOKENS).astype(numpy.int64), apply_t5_attn_mask=False)
    path = folder / "dataset.toml"
    path.write_text(f'[general]\nresolution = [{size}, {size}]\ncaption_extension = ".txt"\n[[datasets]]\n'
                    f'[[datasets.subsets]]\nimage_dir = "{images}"\n')
    return path


@dataclasses.dataclass
class Family:
    name: str
    layout: str
    items: typing.Callable
    blocks: int
    options: list


FAMILIES = {family.name: family for family in (
    Family("hunyuan-video", "hunyuan-video.native.txt", hunyuan_video_items, 60, ["--network_module", "networks.lora"]),
    Family("flux", "flux1.native.txt", flux_items, 57, [
        "--network_module", "networks.lora_flux", "--cache_latents_to_disk", "--cache_text_encoder_outputs_to_disk",
        "--model_prediction_type", "raw", "--timestep_sampling", "shift"]))}


def reading(path):
    """Seconds that reading a file once takes when nothing of it is in memory."""
    file = os.open(path, os.O_RDONLY)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    start, buffer = time.perf_counter(), bytearray(1 << 22)
    while os.readv(file, [buffer]):
        pass
    seconds = time.perf_counter() - start
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(file)
    return seconds


def times_of_steps(folder):
    """When each step was done."""
    events = EventAccumulator(str(next(folder.rglob("events.out.tfevents.*")).parent))
    events.Reload()
    return [event.wall_time for event in events.Scalars("loss/current")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("bindir", type=pathlib.Path)
    parser.add_argument("workdir", type=pathlib.Path)
    parser.add_argument("--family", choices=FAMILIES, default="hunyuan-video")
    parser.add_argument("--blocks", type=int)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--memory", type=float)
    options = parser.parse_args()
    options.workdir.mkdir(parents=True, exist_ok=True)
    family = FAMILIES[options.family]
    blocks = family.blocks if options.blocks is None else options.blocks
    base = checkpoint(options.workdir, family)
    once = reading(base)
    with tempfile.TemporaryDirectory(dir=options.workdir) as name:
        folder = pathlib.Path(name)
        command = [
            options.bindir / "lyco-train", "--dit", base, "--dataset_config", family.items(folder, options.size),
            *family.options, "--network_dim", 16, "--network_alpha", 16,
            "--mixed_precision", "bf16", "--gradient_checkpointing", "--blocks_to_swap", blocks,
            "--max_train_steps", options.steps, "--learning_rate", "1e-4", "--optimizer_type", "adamw",
            "--output_dir", folder / "out", "--output_name", "a", "--logging_dir", folder / "logs"]
        words = [str(word) for word in command]
        plan = json.loads(subprocess.run([*words, "--plan", "--json"], check=True, capture_output=True).stdout)
        found = measure(words)
        if found["status"] != 0:
            sys.exit(f"benchmark-streamed.py: {' '.join(words)} ended with status {found['status']}")
        times = times_of_steps(folder)
    anonymous = found["peak_anonymous_bytes"]
    each = (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else float("nan")
    print("| blocks not kept | seconds a step | whole run | anonymous memory | as planned | resident | read a step "
          "| reading the file once |")
    print("| --- " * 8 + "|")
    print(f"| {blocks} | {each:.1f} | {found['seconds']:.0f} s | {anonymous / 1e9:.2f} GB "
          f"| {plan['memory_bytes'] / 1e9:.2f} GB | {found['peak_resident_bytes'] / 1e9:.2f} GB "
          f"| {plan['read_bytes'] / 1e9:.1f} GB | {once:.1f} s |")
    if options.memory and anonymous > options.memory * 1e9:
        sys.exit(f"benchmark-streamed.py: {anonymous / 1e9:.2f} GB, bar {options.memory:g}")


if __name__ == "__main__":
    main()
