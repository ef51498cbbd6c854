#!/usr/bin/env python3
"""Measures how time and memory grow with the checkpoint: extract, merge, convert and inspect at the shapes of SD1.5,
SDXL and Flux.1, with one thread and with two. Prints the tables of docs/performance.md.

usage: benchmark-growth.py BINDIR WORKDIR [--models NAME...] [--threads N...] [--json FILE]

Checkpoints are made in WORKDIR and removed, sparse ones (make-checkpoint.py --sparse) in bfloat16: disks play no part
in reading them. What is written is whole, 24 GB for Flux.1, and removed after each run. One run of each. Needs torch.
scripts/docs/plot-growth.py draws the file of --json.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

from measure import measure

HERE = pathlib.Path(__file__).resolve().parent
FAMILIES = HERE.parents[1] / "Fixtures" / "families"
MODELS = {
    "SD1.5": [FAMILIES / "sd1.ldm.txt"],
    "SDXL": [FAMILIES / "sdxl.sgm.txt", HERE / "sdxl-rest.txt"],
    "Flux.1": [FAMILIES / "flux1.native.txt"],
}
# By names of files in the folder: base, tuned, adapter, output.
JOBS = {
    "extract": ["lyco-extract", "base", "tuned", "-o", "adapter", "--linear_dim", "32", "--conv_dim", "32"],
    "merge": ["lyco-merge", "base", "adapter", "--ratio", "1", "-o", "output"],
    "convert": ["lyco-convert", "base", "--save_precision", "fp16", "-o", "output"],
    "inspect": ["lyco-inspect", "base"],
}
REACHED = [16, 64]


def checkpoints(model, folder):
    """Base and fine-tune in a folder; how many numbers each has."""
    layout = folder / "layout.txt"
    layout.write_text("".join(path.read_text() for path in MODELS[model]))
    subprocess.run([sys.executable, HERE / "make-checkpoint.py", "--bf16", "--sparse", layout,
                    folder / "base.safetensors", folder / "tuned.safetensors"], check=True)
    with open(folder / "base.safetensors", "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    header.pop("__metadata__", None)
    return max(entry["data_offsets"][1] for entry in header.values()) // 2


def run(options, job, folder, threads):
    words = [str(folder / f"{word}.safetensors") if word in ("base", "tuned", "adapter", "output") else word
             for word in JOBS[job]]
    found = measure([str(options.bindir / words[0]), *words[1:], "--threads", str(threads), "--overwrite"]
                    if job != "inspect" else [str(options.bindir / words[0]), *words[1:]],
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (folder / "output.safetensors").unlink(missing_ok=True)
    if found["status"]:
        sys.exit(f"benchmark-growth.py: {job} ended with status {found['status']}")
    return {"seconds": found["seconds"], "processors": found["user_seconds"] + found["system_seconds"],
            "anonymous": found["peak_anonymous_bytes"]}


def measured(options):
    rows = []
    for model in options.models:
        with tempfile.TemporaryDirectory(dir=options.workdir) as name:
            folder = pathlib.Path(name)
            count = checkpoints(model, folder)
            for job in JOBS:
                for threads in options.threads if job != "inspect" else options.threads[-1:]:
                    rows.append({"model": model, "parameters": count, "job": job, "threads": threads}
                                | run(options, job, folder, threads))
                    print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    return rows


def serial_share(one, two):
    """What of a job one thread does alone, by Amdahl's law from the times with one and two."""
    return min(max(2 * two / one - 1, 0), 1)


def tables(rows, threads):
    yield "| model | numbers | job | " + " | ".join(f"{n} thread{'s' * (n > 1)}" for n in threads) + \
        " | a billion numbers | anonymous memory |"
    yield "| --- " * (5 + len(threads)) + "|"
    found = {(row["model"], row["job"], row["threads"]): row for row in rows}
    for model, job in dict.fromkeys((row["model"], row["job"]) for row in rows):
        each = [found.get((model, job, n)) for n in threads]
        last = each[-1]
        times = " | ".join("" if row is None else f"{row['seconds']:.2f} s" if row["seconds"] >= 0.1
                           else f"{row['seconds'] * 1e3:.0f} ms" for row in each)
        per = last["seconds"] / last["parameters"] * 1e9
        yield (f"| {model} | {last['parameters'] / 1e9:.2f} G | {job} | {times} | "
               f"{f'{per:.2f} s' if per >= 0.1 else f'{per * 1e3:.0f} ms'} | {last['anonymous'] / 1e6:.0f} MB |")
    if 1 not in threads or 2 not in threads:
        return
    yield ""
    yield "| model | job | serial share | " + " | ".join(f"at most with {n}" for n in REACHED) + " |"
    yield "| --- " * (3 + len(REACHED)) + "|"
    for model, job in dict.fromkeys((row["model"], row["job"]) for row in rows if row["job"] != "inspect"):
        share = serial_share(found[model, job, 1]["seconds"], found[model, job, 2]["seconds"])
        yield f"| {model} | {job} | {100 * share:.0f} % | " + " | ".join(
            f"{1 / (share + (1 - share) / n):.1f} ×" for n in REACHED) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("bindir", type=pathlib.Path)
    parser.add_argument("workdir", type=pathlib.Path)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    rows = measured(options)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    print("\n".join(tables(rows, options.threads)))


if __name__ == "__main__":
    main()
