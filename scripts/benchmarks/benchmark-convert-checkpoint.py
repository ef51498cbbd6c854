#!/usr/bin/env python3
"""The measuring part of benchmark-convert-checkpoint.sh: converts a checkpoint and copies it with cp,
by turns, and prints Markdown.

usage: benchmark-convert-checkpoint.py BINDIR WORKDIR [--runs N] [--formats FORMAT...]

Ends with status 1 where a conversion to a 16-bit format takes more than twice the time of cp, or more
than 300 MB of anonymous memory. The tool waits until the disk has its output; cp does not, so it is
timed with and without.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys

from measure import measure

TIMES_COPY = 2
MEMORY = 300_000_000


def run(command, output):
    """Runs it on a disk that has nothing left to do."""
    output.unlink(missing_ok=True)
    os.sync()
    found = measure(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if found["status"] != 0:
        sys.exit(f"benchmark-convert-checkpoint.py: {command} ended with status {found['status']}")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("bindir", type=pathlib.Path)
    parser.add_argument("workdir", type=pathlib.Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--formats", nargs="+", default=["bf16"])
    options = parser.parse_args()
    source = options.workdir / "sdxl.safetensors"
    output = options.workdir / "sdxl-output.safetensors"
    with open(source, "rb") as file:  # into the page cache
        while file.read(1 << 24):
            pass
    copy = ["cp", source, output]
    synced = ["sh", "-c", 'cp "$1" "$2" && sync "$2"', "sh", source, output]
    commands = {name: [options.bindir / "lyco-convert", source, "-o", output, "--save_precision",
                       name] for name in options.formats}
    copies, synced_copies, found = [], [], {name: [] for name in commands}
    ratios, synced_ratios = {name: [] for name in commands}, {name: [] for name in commands}
    for _ in range(options.runs):
        for name, command in commands.items():
            copies.append(run(copy, output)["seconds"])
            found[name].append(run(command, output))
            synced_copies.append(run(synced, output)["seconds"])
            ratios[name].append(found[name][-1]["seconds"] / copies[-1])
            synced_ratios[name].append(found[name][-1]["seconds"] / synced_copies[-1])
    output.unlink(missing_ok=True)

    print(f"{source.stat().st_size / 1e9:.2f} GB of F16; medians of {options.runs} runs: cp "
          f"{statistics.median(copies):.2f} s, cp and sync {statistics.median(synced_copies):.2f} s")
    print()
    print("| to | seconds | times cp | times cp and sync | anonymous memory |")
    print("| --- | --- | --- | --- | --- |")
    failed = False
    for name, runs in found.items():
        ratio, synced_ratio = statistics.median(ratios[name]), statistics.median(synced_ratios[name])
        memory = max(run["peak_anonymous_bytes"] for run in runs)
        if name in ("bf16", "fp16"):
            failed = failed or ratio > TIMES_COPY or memory > MEMORY
        print(f"| {name} | {statistics.median(run['seconds'] for run in runs):.2f} | {ratio:.2f} | "
              f"{synced_ratio:.2f} | {memory / 1e6:.0f} MB |")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
