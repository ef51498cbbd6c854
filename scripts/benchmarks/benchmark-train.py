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

import train_commands
from measure import printed

HERE = pathlib.Path(__file__).resolve().parent
PEERS = ("default", "bypass", "peft")
OURS = {"plain": (), "checkpointing": ("--gradient_checkpointing",)}


@dataclasses.dataclass
class Bars:
    """What is compared: times as fast as each mode of LyCORIS, and shares of the memory that its
    bypass mode takes; and the precisions it is measured in by default."""
    faster: dict
    memory: dict
    precisions: tuple
    # The peer whose memory is compared.
    leanest: str = "bypass"


FAMILIES = {
    "sd1": Bars({"default": 2.0, "bypass": 1.4}, {"plain": 1.0, "checkpointing": 0.6},
                ("f32", "bf16")),
    # Frozen weights are most of the memory here, with and without checkpoints; in f32 they alone are
    # 10.3 GB.
    "sdxl": Bars({"default": 2.0, "bypass": 1.5}, {"plain": 1.0, "checkpointing": 1.0}, ("bf16",)),
    "wan": Bars({"peft": 1.8}, {"plain": 1.0, "checkpointing": 1.0}, ("bf16",), leanest="peft"),
}


def seconds_of_peer(text, folder):
    return json.loads(text)["seconds"]


def seconds_of_ours(text, folder):
    """The median time between the events of two steps: as for the peer, the first is not counted."""
    times = train_commands.step_ends(folder)
    shutil.rmtree(folder / "logs")
    return statistics.median(after - before for before, after in zip(times, times[1:]))


def peer(options, precision, mode):
    if mode == "peft":
        return [sys.executable, HERE.parent / "peers/peer-train-wan.py", "--steps", options.steps,
                "--size", options.size, "--rank", train_commands.RANK, *(["--bf16"] if precision == "bf16" else [])]
    return [sys.executable, HERE.parent / "peers/peer-train.py", "--family", options.family,
            "--steps", options.steps, "--size", options.size, "--rank", train_commands.RANK,
            *(["--bypass"] if mode == "bypass" else []),
            *(["--bf16"] if precision == "bf16" else [])]


def ours(options, precision, folder, name):
    return [*train_commands.command(options.bindir, options.base, options.family, precision, options.size,
                                    options.steps + 1, folder), *OURS[name]]


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
        train_commands.data(options.family, folder, options.size)
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
