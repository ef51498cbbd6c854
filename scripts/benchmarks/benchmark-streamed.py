#!/usr/bin/env python3
"""Measures steps of lyco-train on a HunyuanVideo of real shape whose blocks are not kept in memory:
seconds and peaks of memory, beside the time that reading the checkpoint takes. Prints Markdown.

usage: benchmark-streamed.py BINDIR WORKDIR [--blocks N] [--size PIXELS] [--steps K] [--memory GB]

WORKDIR needs 26 GB for a checkpoint of random numbers in bf16, which stays there for the next run. One
picture is trained, as musubi-tuner would cache it, with a LoRA of rank 16 on the 240 modules that it
selects. Of K steps (default 2) the first is not counted. Ends with status 1 where more than --memory GB
of anonymous memory are taken.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import torch
from safetensors.torch import save_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from measure import measure

HERE = pathlib.Path(__file__).resolve().parent
LAYOUT = HERE.parents[1] / "Fixtures/families/hunyuan-video.native.txt"
TOKENS = 64  # of the caption


def checkpoint(folder):
    """The path of the checkpoint, made where it is missing."""
    path = folder / "hunyuan-video-bf16.safetensors"
    if not path.exists():
        part = path.with_suffix(".part")
        subprocess.run([sys.executable, HERE / "make-checkpoint.py", "--bf16", LAYOUT, part], check=True)
        part.rename(path)
    return path


def caches(folder, size):
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
    parser.add_argument("--blocks", type=int, default=60)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--memory", type=float)
    options = parser.parse_args()
    options.workdir.mkdir(parents=True, exist_ok=True)
    base = checkpoint(options.workdir)
    once = reading(base)
    with tempfile.TemporaryDirectory(dir=options.workdir) as name:
        folder = pathlib.Path(name)
        command = [
            options.bindir / "lyco-train", "--dit", base, "--dataset_config", caches(folder, options.size),
            "--network_module", "networks.lora", "--network_dim", 16, "--network_alpha", 16,
            "--mixed_precision", "bf16", "--gradient_checkpointing", "--blocks_to_swap", options.blocks,
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
    print(f"| {options.blocks} | {each:.1f} | {found['seconds']:.0f} s | {anonymous / 1e9:.2f} GB "
          f"| {plan['memory_bytes'] / 1e9:.2f} GB | {found['peak_resident_bytes'] / 1e9:.2f} GB "
          f"| {plan['read_bytes'] / 1e9:.1f} GB | {once:.1f} s |")
    if options.memory and anonymous > options.memory * 1e9:
        sys.exit(f"benchmark-streamed.py: {anonymous / 1e9:.2f} GB, bar {options.memory:g}")


if __name__ == "__main__":
    main()
