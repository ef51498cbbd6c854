#!/usr/bin/env python3
"""The measuring part of benchmark-merge.sh: merges an adapter of every algorithm into a base, by
turns, and prints Markdown.

usage: benchmark-merge.py BINDIR WORKDIR [--runs N] [--only ALGORITHM...]

WORKDIR holds base.safetensors and adapters/<algorithm>.safetensors. Ends with status 1 where an
algorithm takes more of the time of a plain LoRA than its limit.
"""

import argparse
import pathlib
import statistics
import subprocess
import sys

from measure import measure

# Times a plain LoRA of the same rank in the same run: rotations and norms need the whole weight.
LIMIT = 3
LIMITS = {"dora": 6, "diag_oft": 6, "boft": 6}


def merge(options, adapter, output):
    found = measure([options.bindir / "lyco-merge", options.workdir / "base.safetensors", adapter,
                     "-o", output], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if found["status"] != 0:
        sys.exit(f"benchmark-merge.py: lyco-merge {adapter} ended with status {found['status']}")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("bindir", type=pathlib.Path)
    parser.add_argument("workdir", type=pathlib.Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", nargs="+", default=[])
    options = parser.parse_args()
    adapters = sorted((options.workdir / "adapters").glob("*.safetensors"),
                      key=lambda path: (path.stem != "lora", path.stem))
    if options.only:
        adapters = [path for path in adapters if path.stem in ["lora", *options.only]]
    output = options.workdir / "merged.safetensors"
    for path in [options.workdir / "base.safetensors", *adapters]:  # into the page cache
        with open(path, "rb") as file:
            while file.read(1 << 24):
                pass
    runs = {path: [] for path in adapters}
    # The algorithms take turns, each beside a plain LoRA, so that a busy moment meets both.
    ratios = {path: [] for path in adapters}
    for _ in range(options.runs):
        for path in adapters[1:]:
            plain = merge(options, adapters[0], output)
            found = merge(options, path, output)
            runs[adapters[0]].append(plain)
            runs[path].append(found)
            ratios[path].append(found["seconds"] / plain["seconds"])
    ratios[adapters[0]] = [1.0]
    output.unlink(missing_ok=True)

    print("| algorithm | file | seconds | anonymous memory | times lora | limit |")
    print("| --- | --- | --- | --- | --- | --- |")
    failed = False
    for path in adapters:
        limit = LIMITS.get(path.stem, LIMIT)
        ratio = statistics.median(ratios[path])
        failed = failed or ratio > limit
        seconds = statistics.median(run["seconds"] for run in runs[path])
        memory = max(run["peak_anonymous_bytes"] for run in runs[path])
        print(f"| {path.stem} | {path.stat().st_size / 1e6:.0f} MB | {seconds:.2f} | "
              f"{memory / 1e6:.0f} MB | {ratio:.2f} | {limit} |")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
