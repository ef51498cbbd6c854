#!/usr/bin/env python3
"""The measuring part of benchmark-train.sh: a training step of lyco-train and of its peer, by turns;
prints Markdown.

usage: benchmark-train.py BINDIR BASE [--family NAME] [--runs N] [--steps K] [--size PIXELS]
                          [--precisions P...] [--programs NAME...] [--memory GB]

BASE is a checkpoint of the real shape of the family, sd1 (default), sdxl or wan (2.1, 1.3B, one frame).
Ends with status 1 where lyco-train is not faster than a peer by the ratio of the family, or takes more
anonymous memory than its share of that of the leanest; or, with --memory, more than so many GB. --programs:
some of default and bypass (lycoris-lora; peft alone for wan), plain (lyco-train) and checkpointing
(lyco-train with --gradient_checkpointing); what is not run is not compared.
"""

import argparse
import dataclasses
import json
import pathlib
import shutil
import statistics
import sys
import tempfile

import torch
from PIL import Image
from safetensors.torch import save_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from measure import printed

HERE = pathlib.Path(__file__).resolve().parent
RANK = 16
PEERS = ("default", "bypass", "peft")
OURS = {"plain": (), "checkpointing": ("--gradient_checkpointing",)}


@dataclasses.dataclass
class Bars:
    """What is compared: times as fast as each mode of LyCORIS, and shares of the memory that its
    bypass mode takes; and the precisions it is measured in by default."""
    faster: dict
    memory: dict
    precisions: tuple
    options: tuple = ()
    # The peer whose memory is compared.
    leanest: str = "bypass"


FAMILIES = {
    "sd1": Bars({"default": 2.0, "bypass": 1.4}, {"plain": 1.0, "checkpointing": 0.6},
                ("f32", "bf16")),
    # Frozen weights are most of the memory here, with and without checkpoints; in f32 they alone are
    # 10.3 GB.
    "sdxl": Bars({"default": 2.0, "bypass": 1.5}, {"plain": 1.0, "checkpointing": 1.0}, ("bf16",),
                 ("--cache_text_encoder_outputs",)),
    "wan": Bars({"peft": 1.8}, {"plain": 1.0, "checkpointing": 1.0}, ("bf16",), leanest="peft"),
}


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
    if mode == "peft":
        return [sys.executable, HERE.parent / "peers/peer-train-wan.py", "--steps", options.steps,
                "--size", options.size, "--rank", RANK, *(["--bf16"] if precision == "bf16" else [])]
    return [sys.executable, HERE.parent / "peers/peer-train.py", "--family", options.family,
            "--steps", options.steps, "--size", options.size, "--rank", RANK,
            *(["--bypass"] if mode == "bypass" else []),
            *(["--bf16"] if precision == "bf16" else [])]


def ours(options, precision, folder, name):
    if options.family == "wan":
        return [options.bindir / "lyco-train", "--dit", options.base, "--dataset_config",
                folder / "images/dataset.toml", "--output_dir", folder / "out", "--output_name",
                "benchmark", "--network_module", "networks.lora_wan", "--network_dim", RANK,
                "--network_alpha", RANK, "--max_train_steps", options.steps + 1, "--learning_rate",
                "1e-4", "--logging_dir", folder / "logs", "--json", "--mixed_precision",
                "no" if precision == "f32" else "bf16", *OURS[name]]
    return [options.bindir / "lyco-train", "--pretrained_model_name_or_path", options.base,
            "--train_data_dir", folder / "images", "--output_dir", folder / "out",
            "--output_name", "benchmark", "--network_module", "lycoris.kohya",
            "--network_dim", RANK, "--network_alpha", RANK,
            "--network_args", "algo=lora", "preset=attn-mlp", "--network_train_unet_only",
            "--resolution", options.size, "--max_train_steps", options.steps + 1,
            "--learning_rate", "1e-4", "--cache_latents", *FAMILIES[options.family].options,
            "--logging_dir", folder / "logs", "--json",
            "--mixed_precision", "no" if precision == "f32" else "bf16", *OURS[name]]


def measured(options, precision, folder):
    """Seconds a step, and peaks of memory, of every program."""
    commands = {name: peer(options, precision, name) if name in PEERS
                else ours(options, precision, folder, name) for name in options.programs}
    results = {name: [] for name in commands}
    for _ in range(options.runs):  # by turns, so that a busy moment meets all of them
        for name, command in commands.items():
            text, peaks = printed(command)
            seconds = (seconds_of_peer if name in PEERS else seconds_of_ours)(text, folder)
            results[name].append(
                (seconds, peaks["peak_anonymous_bytes"], peaks["peak_resident_bytes"]))
    return {name: (statistics.median(found[0] for found in each), max(found[1] for found in each),
                   max(found[2] for found in each)) for name, each in results.items()}


def faults(options, bars, found):
    """What does not reach its bar."""
    for name in OURS.keys() & found.keys():
        seconds, memory, _ = found[name]
        if name == "plain":
            for mode, ratio in bars.faster.items():
                if mode in found and found[mode][0] < ratio * seconds:
                    yield f"{found[mode][0] / seconds:.2f} times as fast as {mode}, bar {ratio}"
        lean = bars.leanest
        if lean in found and memory > bars.memory[name] * found[lean][1]:
            yield (f"{name}: {memory / found[lean][1]:.2f} of the memory of {lean}, "
                   f"bar {bars.memory[name]}")
        if options.memory and memory > options.memory * 1e9:
            yield f"{name}: {memory / 1e9:.2f} GB, bar {options.memory:g}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("bindir", type=pathlib.Path)
    parser.add_argument("base", type=pathlib.Path)
    parser.add_argument("--family", choices=FAMILIES, default="sd1")
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--precisions", nargs="+", choices=("f32", "bf16"))
    parser.add_argument("--programs", nargs="+", choices=(*PEERS, *OURS), )
    parser.add_argument("--memory", type=float)
    options = parser.parse_args()
    bars, missed = FAMILIES[options.family], []
    peers = tuple(bars.faster)
    options.programs = options.programs or [*peers, *OURS]
    print("| precision | program | seconds a step | anonymous memory | resident "
          + "".join(f"| times as fast as {mode} " for mode in peers) + "|")
    print("| --- " * (5 + len(peers)) + "|")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (cache if options.family == "wan" else picture)(folder, options.size)
        for precision in options.precisions or bars.precisions:
            found = measured(options, precision, folder)
            for name, (seconds, anonymous, resident) in found.items():
                label = f"PyTorch, {name}" if name in PEERS else " ".join(["lyco-train", *OURS[name]])
                ratios = [f"{found[mode][0] / seconds:.2f}" if mode in found else "" for mode in peers]
                print(f"| {precision} | {label} | {seconds:.2f} | {anonymous / 1e9:.2f} GB "
                      f"| {resident / 1e9:.2f} GB | {' | '.join(ratios)} |", flush=True)
            missed += [f"{precision}, {fault}" for fault in faults(options, bars, found)]
    for fault in missed:
        print(f"benchmark-train.py: {fault}", file=sys.stderr)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
