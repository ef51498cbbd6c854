#!/usr/bin/env python3
"""Measures what one thread of a training does alone while the others wait, and what that says of more threads; prints
the table of docs/performance.md.

usage: measure-serial-share.py BINDIR BASE [--family NAME] [--sizes PIXELS...] [--precisions P...] [--steps K]
                               [--threads N] [--profile] [--bar SHARE]

BASE is a checkpoint of the real shape of the family, sd1 (default), sdxl or wan (2.1, 1.3B, one frame); one picture,
LoRA of rank 16. serial-share.c is compiled (CC, default clang) and preloaded: it counts the processors' time of the
thread that trains outside of parallel regions, and of all threads within. What other programs take is left out. The first
step stands by itself. Computed for more threads: serial time + shared time / threads, with no cost of starting and
ending regions, and with tasks for all.

--profile finds in a second run where the serial time goes, with perf(1), by the function of the tool that it is spent
for, and prints what takes 2 % of it or more. Ends with status 1 where a step's serial part is more than --bar of it
(default 0.02).
"""

import argparse
import bisect
import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import train_commands

HERE = pathlib.Path(__file__).resolve().parent
COUNTED = ("process", "thread", "inside", "shared", "regions", "faults")


def build(folder):
    library = folder / "serial-share.so"
    subprocess.run([os.environ.get("CC", "clang"), "-O2", "-shared", "-fPIC", HERE / "serial-share.c", "-ldl", "-o",
                    library], check=True)
    return library


def between(lines, start, end, steps=1):
    """What was counted from one moment to another, for each of so many steps."""
    walls = [line["wall"] for line in lines]
    first, last = (lines[min(bisect.bisect_left(walls, moment), len(lines) - 1)] for moment in (start, end))
    return {name: (last[name] - first[name]) / steps for name in COUNTED}


def functions(record, start, end):
    """Samples of serial time by the innermost function that is the tool's own."""
    offset = time.clock_gettime(time.CLOCK_REALTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)
    text = subprocess.run(
        ["perf", "script", "-i", record, "--time", f"{start - offset:.6f},{end - offset:.6f}", "-F", "comm,ip,sym,dso"],
        check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    found = collections.Counter()
    for sample in text.split("\n\n"):
        name, _, stack = sample.strip().partition("\n")
        if name.strip() != "lyco-alone":
            continue
        frames = re.findall(r"^\s*[0-9a-f]+ (.*) \((.*)\)$", stack, re.MULTILINE)
        own = [symbol for symbol, file in frames if file.endswith("/lyco-train")]
        found[(own or [symbol for symbol, _ in frames] or ["?"])[0]] += 1
    return found


def demangled(names):
    """Swift's symbols as they are written."""
    tool = shutil.which("swift-demangle") or shutil.which("swift")
    if not tool:
        return names
    command = [tool, *(["demangle"] if tool.endswith("swift") else []), "--simplified"]
    return subprocess.run(command, input="\n".join(names), check=True, stdout=subprocess.PIPE,
                          text=True).stdout.splitlines()


def measured(options, library, precision, size, is_profiled=False):
    """What a step takes, the first one, and what comes before; in a run that is profiled, samples of its serial time by
    function."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        train_commands.data(options.family, folder, size)
        command = train_commands.command(options.bindir, options.base, options.family, precision, size,
                                         options.steps + 1, folder)
        command = ["env", f"LD_PRELOAD={library}", f"LYCO_SHARE_LOG={folder / 'share'}", "OMP_WAIT_POLICY=passive",
                   *command, "--threads", options.threads, "--seed", "1"]
        record = folder / "perf.data"
        if is_profiled:
            command = ["env", "LYCO_SHARE_NAMES=1", "perf", "record", "-q", "-k", "mono", "-e", "cpu-clock",
                       "-F", "1999", "--call-graph", "fp", "-o", record, *command]
        result = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE)
        if result.returncode:
            sys.exit(f"measure-serial-share.py: lyco-train ended with status {result.returncode}")
        ends = train_commands.step_ends(folder)
        lines = [json.loads(line) for line in (folder / "share").read_text().splitlines()]
        if is_profiled:
            return functions(record, ends[0], ends[-1])
        found = between(lines, ends[0], ends[-1], len(ends) - 1)
        begin = ends[-1] - json.loads(result.stdout)["seconds"]
        found["first"] = between(lines, begin, ends[0])["process"]
        found["before"] = between(lines, lines[0]["wall"], begin)["process"] + lines[0]["process"]
        return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("bindir", type=pathlib.Path)
    parser.add_argument("base", type=pathlib.Path)
    parser.add_argument("--family", choices=train_commands.OPTIONS, default="sd1")
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 256])
    parser.add_argument("--precisions", nargs="+", choices=("f32", "bf16"), default=["f32", "bf16"])
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--bar", type=float, default=0.02)
    options = parser.parse_args()
    print("| family | pixels | precision | processors' time of a step, s | of it serial, ms | share | regions "
          "| page faults | 2 threads | 16 | 64 | before the first step, s | the first step, times a later one |")
    print("| --- " * 13 + "|")
    missed, profiles = [], []
    with tempfile.TemporaryDirectory() as folder:
        library = build(pathlib.Path(folder))
        for size in options.sizes:
            for precision in options.precisions:
                found = measured(options, library, precision, size)
                alone, shared = found["thread"] - found["inside"], found["shared"]
                whole = alone + shared
                gains = [f"{whole / (alone + shared / threads):.1f}" for threads in (2, 16, 64)]
                print(f"| {options.family} | {size} | {precision} | {whole:.2f} | {1e3 * alone:.0f} "
                      f"| {alone / whole:.1%} | {found['regions']:.0f} | {found['faults']:.0f} "
                      f"| {' | '.join(gains)} | {found['before']:.1f} | {found['first'] / found['process']:.2f} |"
                      .replace("%", " %"), flush=True)
                if alone > options.bar * whole:
                    missed.append(f"{size} pixels, {precision}: {alone / whole:.1%} of a step is serial")
                if options.profile:
                    profile = measured(options, library, precision, size, is_profiled=True)
                    profiles.append((f"{size} pixels, {precision}", profile, alone))
    for title, profile, alone in profiles:
        samples = sum(profile.values())
        common = [(name, count) for name, count in profile.most_common() if count >= 0.02 * samples]
        print(f"\nSerial time, {title}:\n")
        print("| function | ms of a step | share |\n| --- | --- | --- |")
        for (_, count), name in zip(common, demangled([name for name, _ in common])):
            print(f"| `{name}` | {1e3 * alone * count / samples:.1f} | {count / samples:.1%} |".replace("%", " %"))
    for fault in missed:
        print(f"measure-serial-share.py: {fault}", file=sys.stderr)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
