#!/usr/bin/env python3
"""Measures attention of long sequences, forward and backward, beside PyTorch's, and prints the table of
docs/performance.md.

usage: benchmark-attention.py [--tokens N ...] [--heads H] [--width D] [--rounds R] [--threads T]
                              [--precisions f32 bf16] [--programs lyco torch]

Rates count the two products of the forward pass, 4·N²·D·H operations, and the five of the backward
pass, 10·N²·D·H; they are those of the fastest of R rounds. On a machine with other work the rate of a
core counts, which takes the processors' time rather than the wall's; of lyco it stands beside what such a core
multiplies and adds at most from registers while all threads do (AVX-512). lyco's is the C of Sources/CLayers and
Sources/COneDNN, compiled here as `swift build -c release` does (CC, default clang). Anonymous memory
holds eight arrays of N·H·D numbers, q, k, v, the output and their gradients, of 4 bytes for lyco. Of
the peer in bf16 they have 2, and torch itself takes 0.1 GB.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from measure import measure

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGETS = ["CLayers", "COneDNN", "CPlatform"]


def build(folder):
    """The program of attention.c."""
    program = folder / "attention"
    sources = [ROOT / "scripts" / "benchmarks" / "attention.c"]
    for target in TARGETS:
        sources += sorted((ROOT / "Sources" / target).glob("*.c"))
    includes = [f"-I{ROOT / 'Sources' / target / 'include'}" for target in TARGETS]
    subprocess.run([os.environ.get("CC", "clang"), "-O2", "-w", *includes, *sources,
                    "-ldl", "-lm", "-lpthread", "-o", program], check=True)
    return [str(program)]


def run(command, tokens, options, precision):
    """The least wall and processor seconds of each pass, the peak of anonymous bytes, and what a core does at most, if
    the program tells."""
    arguments = [tokens, options.heads, options.width, precision, options.threads, options.rounds]
    with tempfile.TemporaryFile("w+") as output:
        result = measure([*command, *map(str, arguments)], stdout=output)
        if result["status"] != 0:
            sys.exit(f"benchmark-attention.py: {command[-1]} failed with {result['status']}")
        output.seek(0)
        passes = [json.loads(line) for line in output]
    least = {name: [min(p[key] for p in passes if p["pass"] == name) for key in ("seconds", "busy")]
             for name in ("forward", "backward")}
    most = next((p["rate"] for p in passes if p["pass"] == "peak"), None)
    return least, result["peak_anonymous_bytes"], most


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--tokens", type=int, nargs="+", default=[4096, 33000])
    parser.add_argument("--heads", type=int, default=24)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--precisions", nargs="+", default=["f32", "bf16"])
    parser.add_argument("--programs", nargs="+", choices=["lyco", "torch"],
                        default=["lyco", "torch"])
    options = parser.parse_args()
    # Waiting threads of OpenMP spin otherwise, and are counted as work.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    print("| tokens | heads | precision | program | forward, s | GFLOP/s | of a core | backward, s "
          "| GFLOP/s | of a core | at most | anonymous memory |\n|" + " --- |" * 12)
    with tempfile.TemporaryDirectory() as folder:
        peer = [sys.executable, str(ROOT / "scripts" / "peers" / "peer-attention.py")]
        programs = {"torch": peer}
        if "lyco" in options.programs:
            programs["lyco"] = build(pathlib.Path(folder))
        for tokens in options.tokens:
            product = 2 * tokens ** 2 * options.width * options.heads
            for precision in options.precisions:
                for name in options.programs:
                    least, peak, most = run(programs[name], tokens, options, precision)
                    cells = [tokens, options.heads, precision, name]
                    for work, (seconds, busy) in ((2 * product, least["forward"]),
                                                  (5 * product, least["backward"])):
                        cells += [f"{seconds:.2f}", f"{1e-9 * work / seconds:.0f}",
                                  f"{1e-9 * work / busy:.0f}"]
                    print("|", *(f"{cell} |" for cell in cells), f"{most:.0f} |" if most else "|",
                          f"{peak / 1e9:.2f} GB |", flush=True)


if __name__ == "__main__":
    main()
