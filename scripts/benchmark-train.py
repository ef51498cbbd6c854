#!/usr/bin/env python3
"""The measuring part of benchmark-train.sh: a training step of lyco-train and of its peer, by turns;
prints Markdown.

usage: benchmark-train.py BINDIR WORKDIR [--runs N] [--steps K] [--only f32 bf16]

WORKDIR holds base.safetensors. Ends with status 1 where lyco-train is less than twice as fast as
LyCORIS' default or 1.4 times as fast as its bypass mode, or takes more memory than allowed: that of the
bypass mode, with gradient checkpointing 60 % of it.
"""

import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from measure import measure

HERE = pathlib.Path(__file__).resolve().parent
SIZE, RANK = 512, 16
FASTER = {"default": 2.0, "bypass": 1.4}
SMALLER = {"": 1.0, "--gradient_checkpointing": 0.6}


def picture(folder):
    """A folder of one picture with its caption."""
    folder = folder / "images" / "1_benchmark"
    folder.mkdir(parents=True)
    g = torch.Generator().manual_seed(20251122)
    small = torch.randint(256, (16, 16, 3), generator=g, dtype=torch.uint8)
    Image.fromarray(small.numpy()).resize((SIZE, SIZE)).save(folder / "picture.png")
    (folder / "picture.txt").write_text("a picture to measure with\n")
    return folder.parent


def run(command):
    """What a program prints, and its peak of anonymous memory."""
    words = [str(word) for word in command]
    with tempfile.TemporaryFile() as output:
        found = measure(words, stdout=output, stderr=subprocess.DEVNULL)
        output.seek(0)
        text = output.read().decode()
    if found["status"] != 0:
        sys.exit(f"benchmark-train.py: {' '.join(words)} ended with status {found['status']}")
    return text, found["peak_anonymous_bytes"]


def seconds_of_peer(text, folder):
    return json.loads(text)["seconds"]


def seconds_of_ours(text, folder):
    """The median time between the events of two steps: as for the peer, the first is not counted."""
    log = next((folder / "logs").rglob("events.out.tfevents.*")).parent
    events = EventAccumulator(str(log))
    events.Reload()
    times = [event.wall_time for event in events.Scalars("loss/current")]
    shutil.rmtree(folder / "logs")
    return statistics.median(after - before for before, after in zip(times, times[1:]))


def peer(options, precision, mode):
    return [sys.executable, HERE / "peer-train.py", "--steps", options.steps, "--size", SIZE,
            "--rank", RANK, *(["--bypass"] if mode == "bypass" else []),
            *(["--bf16"] if precision == "bf16" else [])]


def ours(options, precision, folder, flag):
    return [options.bindir / "lyco-train",
            "--pretrained_model_name_or_path", options.workdir / "base.safetensors",
            "--train_data_dir", folder / "images", "--output_dir", folder / "out",
            "--output_name", "benchmark", "--network_module", "lycoris.kohya",
            "--network_dim", RANK, "--network_alpha", RANK,
            "--network_args", "algo=lora", "preset=attn-mlp", "--network_train_unet_only",
            "--resolution", SIZE, "--max_train_steps", options.steps + 1,
            "--learning_rate", "1e-4", "--cache_latents",
            "--logging_dir", folder / "logs", "--json",
            "--mixed_precision", "no" if precision == "f32" else "bf16", *([flag] if flag else [])]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("bindir", type=pathlib.Path)
    parser.add_argument("workdir", type=pathlib.Path)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=["f32", "bf16"])
    options = parser.parse_args()
    failed = False
    print("| precision | program | seconds a step | anonymous memory | times as fast as default "
          "| as bypass |")
    print("| --- " * 6 + "|")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        picture(folder)
        for precision in options.only:
            commands = {mode: peer(options, precision, mode) for mode in FASTER} | {
                flag: ours(options, precision, folder, flag) for flag in SMALLER}
            results = {key: [] for key in commands}
            for _ in range(options.runs):  # by turns, so that a busy moment meets all of them
                for key, command in commands.items():
                    text, peak = run(command)
                    seconds_of = seconds_of_peer if key in FASTER else seconds_of_ours
                    results[key].append((seconds_of(text, folder), peak))
            seconds = {key: statistics.median(found[0] for found in each)
                       for key, each in results.items()}
            peaks = {key: max(found[1] for found in each) for key, each in results.items()}
            for key in commands:
                label = f"PyTorch, {key}" if key in FASTER else f"lyco-train {key}".strip()
                print(f"| {precision} | {label} | {seconds[key]:.2f} | {peaks[key] / 1e9:.2f} GB | "
                      + " | ".join(f"{seconds[mode] / seconds[key]:.2f}" for mode in FASTER) + " |",
                      flush=True)
            failed |= any(seconds[mode] < ratio * seconds[""] for mode, ratio in FASTER.items())
            failed |= any(peaks[flag] > share * peaks["bypass"] for flag, share in SMALLER.items())
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
