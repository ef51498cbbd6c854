#!/usr/bin/env python3
"""The measuring part of benchmark-sample.sh: a picture of lyco-sample and of diffusers, by turns; prints Markdown.

usage: benchmark-sample.py BINDIR BASE [--family NAME] [--runs N] [--steps K] [--size PIXELS] [--precisions P...]

BASE is a checkpoint of the real shape of the family, sd1 (default) or sdxl. Ends with status 1 where lyco-sample is not
1.5 times as fast as diffusers, or takes more anonymous memory.
"""

import argparse
import json
import pathlib
import statistics
import sys
import tempfile

from measure import printed

HERE = pathlib.Path(__file__).resolve().parent
FASTER = 1.5


def ours(options, precision, folder):
    _, found = printed([
        options.bindir / "lyco-sample", "--base", options.base, "--prompt", "a picture to measure with",
        "--negative_prompt", "another one", "--sampler", "euler", "--steps", options.steps, "--scale", "7.5",
        "--seed", "1", "--width", options.size, "--height", options.size, "-o", folder / "picture.png",
        "--mixed_precision", "no" if precision == "f32" else "bf16"])
    (folder / "picture.png").unlink()
    return found["seconds"], found["peak_anonymous_bytes"], found["peak_resident_bytes"]


def peer(options, precision, folder):
    text, found = printed([
        sys.executable, HERE.parent / "peers/peer-sample.py", "--family", options.family, "--steps", options.steps,
        "--size", options.size, *(["--bf16"] if precision == "bf16" else [])])
    return json.loads(text)["seconds"], found["peak_anonymous_bytes"], found["peak_resident_bytes"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("bindir", type=pathlib.Path)
    parser.add_argument("base", type=pathlib.Path)
    parser.add_argument("--family", choices=("sd1", "sdxl"), default="sd1")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--precisions", nargs="+", choices=("f32", "bf16"), default=("f32", "bf16"))
    options = parser.parse_args()
    programs, missed = {"diffusers": peer, "lyco-sample": ours}, []
    print("| precision | program | seconds | anonymous memory | resident | times as fast |")
    print("| --- " * 6 + "|")
    for precision in options.precisions:
        found = {name: [] for name in programs}
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(options.runs):  # by turns, so that a busy moment meets all of them
                for name, program in programs.items():
                    found[name].append(program(options, precision, pathlib.Path(folder)))
        found = {name: (statistics.median(each[0] for each in runs), *(max(each[i] for each in runs) for i in (1, 2)))
                 for name, runs in found.items()}
        for name, (seconds, anonymous, resident) in found.items():
            ratio = found["diffusers"][0] / seconds
            print(f"| {precision} | {name} | {seconds:.1f} | {anonymous / 1e9:.2f} GB | {resident / 1e9:.2f} GB "
                  f"| {ratio:.2f} |", flush=True)
        if ratio < FASTER:
            missed.append(f"{precision}: {ratio:.2f} times as fast as diffusers, bar {FASTER}")
        if found["lyco-sample"][1] > found["diffusers"][1]:
            missed.append(f"{precision}: more memory than diffusers")
    for fault in missed:
        print(f"benchmark-sample.py: {fault}", file=sys.stderr)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
