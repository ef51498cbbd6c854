#!/usr/bin/env python3
"""The measuring part of benchmark.sh: runs the tools and their peers alternately, prints Markdown.

usage: benchmark.py BINDIR WORKDIR [--runs N] [--every N]

WORKDIR holds base.safetensors and tuned.safetensors.
"""

import argparse
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys

from measure import measure

HERE = pathlib.Path(__file__).resolve().parent
RANK = 32


def machine():
    """One line: processor, cores, memory, OpenBLAS core type, load when the run began."""
    text = pathlib.Path("/proc/cpuinfo").read_text()
    found = re.search(r"model name\s*:\s*(.*)", text)
    name = found[1] if found else platform.machine()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    core_type = os.environ.get("OPENBLAS_CORETYPE", "chosen by OpenBLAS")
    return (f"{name}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB, OpenBLAS core type: "
            f"{core_type}, {platform.system()} {platform.release()}, load {os.getloadavg()[0]:.1f}")


def run(command):
    result = measure([str(word) for word in command], stdout=subprocess.DEVNULL)
    if result["status"] != 0:
        sys.exit(f"benchmark.py: {pathlib.Path(command[0]).name} ended with status "
                 f"{result['status']}")
    return result


def alternate(runs, *commands):
    """Medians per command; the commands take turns, so a busy moment meets all of them."""
    results = [[] for _ in commands]
    for _ in range(runs):
        for command, found in zip(commands, results):
            found.append(run(command))
    return [{key: statistics.median(result[key] for result in found)
             for key in ("seconds", "peak_anonymous_bytes")} for found in results]


def row(what, ours, peer_name, peer, bar):
    megabytes = ours["peak_anonymous_bytes"] / 1e6
    wall = ours["seconds"]
    seconds = f"{wall:.2f} s" if wall >= 1 else f"{wall * 1e3:.0f} ms"
    if peer is None:
        return f"| {what} | {seconds} | {megabytes:.0f} MB | – | – | {bar} |"
    return (f"| {what} | {seconds} | {megabytes:.0f} MB | {peer_name}: {peer['seconds']:.2f} s, "
            f"{peer['peak_anonymous_bytes'] / 1e6:.0f} MB | "
            f"{wall / peer['seconds']:.2f} | {bar} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("bindir", type=pathlib.Path)
    parser.add_argument("workdir", type=pathlib.Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--every", type=int, default=8)
    options = parser.parse_args()
    base, tuned = options.workdir / "base.safetensors", options.workdir / "tuned.safetensors"
    adapter = options.workdir / "lyco.safetensors"
    peer_adapter = options.workdir / "peer.safetensors"
    merged, copied = options.workdir / "merged.safetensors", options.workdir / "copy.safetensors"
    header = machine()

    for path in (base, tuned):  # into the page cache, so that no run pays for the disk
        with open(path, "rb") as file:
            while file.read(1 << 24):
                pass
    extract, peer = alternate(
        options.runs,
        [options.bindir / "lyco-extract", base, tuned, "-o", adapter, "--mode", "fixed",
         "--linear_dim", RANK, "--conv_dim", RANK, "--save_precision", "fp16"],
        [sys.executable, HERE.parent / "peers/peer-extract.py", base, tuned, peer_adapter, RANK])
    merge, copy = alternate(
        options.runs,
        [options.bindir / "lyco-merge", base, adapter, "--ratio", 1, "-o", merged],
        ["cp", base, copied])
    inspect, = alternate(4 * options.runs + 1, [options.bindir / "lyco-inspect", base])

    def optimality(path):
        found = subprocess.run([sys.executable, HERE / "check-optimality.py", base, tuned, path,
                                "--every", str(options.every)], capture_output=True, text=True)
        return (found.stdout or found.stderr).strip()

    print(f"{header}\n\nMedians of {options.runs} alternating runs, page cache warm.\n")
    print("| job | wall | anonymous memory | peer | ratio of walls | bar |")
    print("| --- | --- | --- | --- | --- | --- |")
    print(row(f"extract, SD1.5 fp16 pair, rank {RANK}", extract, "torch.svd_lowrank", peer,
              "6 s, 700 MB, ratio 0.5"))
    print(row("merge it into the base", merge, "cp", copy, "ratio 2"))
    print(row("inspect the 2.1 GB base", inspect, "", None, "30 ms"))
    print(f"\nlyco-extract: {optimality(adapter)} (bar 1.001)  \n"
          f"torch.svd_lowrank: {optimality(peer_adapter)}")
    for path in (merged, copied):
        path.unlink()


if __name__ == "__main__":
    main()
