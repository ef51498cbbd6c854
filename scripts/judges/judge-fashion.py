#!/usr/bin/env python3
"""Judges extraction by what the merged network draws, on Fixtures/real/fashion-ddpm.

usage: judge-fashion.py BINDIR [--ranks 1 2 4 ...]

For each rank: lyco-extract at that fixed rank, lyco-merge into the base, and evaluate.py counts
how many of 100 pictures are bags; then the same with --mode size at the size of the fixed-rank
file. The class token is the fine-tune's, biases and norms stay the base's, as in the reference
curve of evaluate.py. Exits with 1 if a count is further from the reference than its scatter, or
if the size mode is not closer to the fine-tune than fixed rank at equal bytes.

Needs torch, diffusers and safetensors; says so and exits with 0 where they are missing.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

PAIR = pathlib.Path(__file__).resolve().parents[2] / "Fixtures" / "real" / "fashion-ddpm"
REFERENCE = {1: 7, 2: 23, 4: 59, 8: 77, 16: 91, 32: 96}
SCATTER = 10  # evaluate.py: one seed is good to about +-10
TOKEN = "tok.weight"


def run(*command):
    words = [str(word) for word in command]
    result = subprocess.run(words, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"judge-fashion.py: {' '.join(words)}\n{result.stderr.strip()}")
    return result.stdout


def judge(bindir, adapter, folder):
    """Bags and old pictures of 100 each, and the share of the difference left over."""
    from safetensors.torch import load_file, save_file

    merged_path = folder / "merged.safetensors"
    run(bindir / "lyco-merge", PAIR / "base.safetensors", adapter, "--ratio", 1, "-o", merged_path)
    base, tuned = load_file(PAIR / "base.safetensors"), load_file(PAIR / "tuned.safetensors")
    merged = load_file(merged_path)
    weights = [key for key, tensor in base.items() if tensor.dim() > 1 and key != TOKEN]
    left = sum(float((merged[key] - tuned[key]).double().square().sum()) for key in weights)
    whole = sum(float((base[key] - tuned[key]).double().square().sum()) for key in weights)
    merged[TOKEN] = tuned[TOKEN]
    save_file(merged, merged_path)
    text = run(sys.executable, PAIR / "evaluate.py", merged_path)
    bags, old = map(int, re.findall(r"(\d+)/100", text))
    return bags, old, (left / whole) ** 0.5


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("bindir", type=pathlib.Path)
    parser.add_argument("--ranks", type=int, nargs="+", default=sorted(REFERENCE))
    options = parser.parse_args()
    try:
        import diffusers  # noqa: F401
        import safetensors  # noqa: F401
        import torch  # noqa: F401
    except ImportError as missing:
        print(f"judge-fashion.py: skipped, Python has no {missing.name}")
        return

    faults = []
    print("| rank | bytes | bags | reference | old right | error left | size mode: bytes | bags "
          "| old right | error left |")
    print("| --- " * 10 + "|")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        fixed, sized = folder / "fixed.safetensors", folder / "sized.safetensors"
        pair = (PAIR / "base.safetensors", PAIR / "tuned.safetensors")
        for rank in options.ranks:
            run(options.bindir / "lyco-extract", *pair, "-o", fixed, "--mode", "fixed",
                "--linear_dim", rank, "--conv_dim", rank, "--no_full",
                "--exclude_patterns", "tok")
            run(options.bindir / "lyco-extract", *pair, "-o", sized, "--mode", "size",
                "--max_size", fixed.stat().st_size, "--exclude_patterns", "tok")
            by_rank = judge(options.bindir, fixed, folder)
            by_size = judge(options.bindir, sized, folder)
            reference = REFERENCE.get(rank)
            print(f"| {rank} | {fixed.stat().st_size} | {by_rank[0]} | {reference or '–'} "
                  f"| {by_rank[1]} | {by_rank[2]:.4f} | {sized.stat().st_size} | {by_size[0]} "
                  f"| {by_size[1]} | {by_size[2]:.4f} |", flush=True)
            if reference is not None and abs(by_rank[0] - reference) > SCATTER:
                faults.append(f"rank {rank}: {by_rank[0]} bags, expected {reference} +- {SCATTER}")
            if sized.stat().st_size > fixed.stat().st_size:
                faults.append(f"rank {rank}: the size mode wrote more than it was given")
            if by_size[2] >= by_rank[2]:
                faults.append(f"rank {rank}: the size mode leaves {by_size[2]:.4f} of the "
                              f"difference, fixed rank {by_rank[2]:.4f}")
    for fault in faults:
        print(f"judge-fashion.py: {fault}", file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
