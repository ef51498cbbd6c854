#!/usr/bin/env python3
"""The measuring part of all.sh: runs every job, prints Markdown, and compares with committed figures.

usage: all.py BINDIR WORKDIR [--only GROUP...] [--json FILE] [--figures FILE]

Medians of a few runs of seconds, of processors' seconds and of anonymous memory. --json writes them. --figures
(figures.json here) are those of another run: of all jobs together the median of the ratios says how much slower the
machine is; a job that is a sixth slower than that, on the wall and by the processors, has become slower, and the status
is then 1.
"""

import argparse
import json
import pathlib
import statistics
import sys
import tempfile
import time

import extraction_jobs
import train_commands
from benchmark import machine
from measure import measure

HERE = pathlib.Path(__file__).resolve().parent
EXTRACTIONS = {
    "extract lora, rank 32": ["--linear_dim", "32", "--conv_dim", "32"],
    "extract with Tucker": ["--linear_dim", "32", "--conv_dim", "32", "--use_tucker"],
    "extract ia3": ["--algo", "ia3"],
    "extract diag-oft": ["--algo", "diag-oft", "--linear_dim", "8"],
} | {f"extract {name}": words for name, words in extraction_jobs.SLOW.items()}
GROUPS = ["start", "extract", "merge", "inspect", "convert", "train"]
NEEDS_ADAPTER = {"merge", "inspect"}
# Of that run, and beyond it a job is told.
SLOWER = 7 / 6


def jobs(bindir, work, folder):
    """Group, name, command, runs."""
    base, tuned, adapter = work / "base.safetensors", work / "tuned.safetensors", folder / "lora.safetensors"
    output, rank128, rank64 = folder / "output.safetensors", work / "sdxl-rank128.safetensors", work / "sdxl-rank64.safetensors"
    for tool in ["inspect", "merge", "convert", "extract", "train", "sample"]:
        yield "start", f"lyco-{tool} --help", [bindir / f"lyco-{tool}", "--help"], 21
    yield "start", "refusal", [bindir / "lyco-merge", "missing.safetensors", adapter, "-o", output], 21
    for name, options in EXTRACTIONS.items():
        target = adapter if name == "extract lora, rank 32" else output
        yield "extract", name, [bindir / "lyco-extract", base, tuned, "-o", target, *options], 3 if target == adapter else 1
    yield "merge", "merge lora", [bindir / "lyco-merge", base, adapter, "--ratio", "1", "-o", output], 3
    yield "merge", "cp and sync", ["sh", "-c", 'cp "$0" "$1" && sync "$1"', base, output], 3
    yield "inspect", "inspect adapter", [bindir / "lyco-inspect", adapter], 21
    yield "inspect", "inspect checkpoint", [bindir / "lyco-inspect", base], 21
    yield "inspect", "inspect 300 adapters", [bindir / "lyco-inspect", work / "catalogue", "--json"], 3
    yield "convert", "resize SDXL 128 to 32", [bindir / "lyco-convert", rank128, "--dim", "32", "-o", output], 3
    yield "convert", "svd of two SDXL", [bindir / "lyco-convert", rank128, rank64, "--combine", "svd", "-o", output], 2


def median(command, runs, folder, accepted):
    found = []
    for _ in range(runs):
        (folder / "output.safetensors").unlink(missing_ok=True)
        with open(folder / "messages", "w+") as messages:
            each = measure([str(word) for word in command], stdout=messages, stderr=messages)
            if each["status"] not in accepted:
                messages.seek(0)
                sys.exit(f"all.py: {' '.join(map(str, command))} ended with status {each['status']}\n{messages.read()}")
        found.append(each)
    return {"seconds": statistics.median(each["seconds"] for each in found),
            "processors": statistics.median(each["user_seconds"] + each["system_seconds"] for each in found),
            "anonymous": max(each["peak_anonymous_bytes"] for each in found)}


def steps(bindir, base, precision, folder):
    """The median of three steps of training after the first, which is told too."""
    command = train_commands.command(bindir, base, "sd1", precision, 512, 4, folder)
    start = time.time()
    with open(folder / "messages", "w") as messages:
        found = measure([str(word) for word in command], stdout=messages, stderr=messages)
    if found["status"]:
        sys.exit(f"all.py: lyco-train ended with status {found['status']}; see {(folder / 'messages').read_text()}")
    ends = train_commands.step_ends(folder)
    yield f"train {precision}, a step", {"seconds": statistics.median(b - a for a, b in zip(ends, ends[1:])),
                                         "anonymous": found["peak_anonymous_bytes"]}
    yield f"train {precision}, to the end of the first step", {"seconds": ends[0] - start}


def measured(options):
    figures = {}

    def told(name, found):
        figures[name] = found
        processors, memory = found.get("processors"), found.get("anonymous")
        print(f"| {name} | {shown(found['seconds'])} | {'' if processors is None else shown(processors)} | "
              f"{'' if memory is None else f'{memory / 1e6:.0f} MB'} |", flush=True)

    print("| job | wall | processors | anonymous memory |\n| --- | --- | --- | --- |")
    groups = set(options.only or GROUPS)
    with tempfile.TemporaryDirectory(dir=options.workdir) as name:
        folder = pathlib.Path(name)
        for group, name, command, runs in jobs(options.bindir, options.workdir, folder):
            if group in groups or (name == "extract lora, rank 32" and NEEDS_ADAPTER & groups):
                # A refusal, and a catalogue with a file that is cut short.
                accepted = {1, 2, 66} if name in ("refusal", "inspect 300 adapters") else {0}
                told(name, median(command, runs, folder, accepted))
        if "train" in groups:
            for precision in ["f32", "bf16"]:
                with tempfile.TemporaryDirectory(dir=options.workdir) as own:
                    own = pathlib.Path(own)
                    train_commands.data("sd1", own, 512)
                    for name, found in steps(options.bindir, options.workdir / "base.safetensors", precision, own):
                        told(name, found)
    if "merge lora" in figures:
        print(f"\nmerge: {figures['merge lora']['seconds'] / figures['cp and sync']['seconds']:.2f} times cp and sync")
    return figures


def shown(seconds):
    return f"{seconds:.1f} s" if seconds >= 10 else f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds * 1e3:.0f} ms"


def compared(now, then):
    """What has become slower, against all jobs together."""
    both = [name for name in now if name in then]
    if not both:
        return []
    usual = {kind: statistics.median(now[name][kind] / then[name][kind] for name in both
                                       if then[name].get(kind) and now[name].get(kind))
               for kind in ("seconds", "processors") if any(then[name].get(kind) for name in both)}
    print(f"\nThe median job takes {usual['seconds']:.2f} times as long as in the committed figures.")
    slower = []
    for name in both:
        ratios = [now[name][kind] / then[name][kind] / usual[kind] for kind in usual
                  if then[name].get(kind) and now[name].get(kind)]
        if min(ratios) > SLOWER:
            slower.append(f"{name}: {shown(now[name]['seconds'])}, was {shown(then[name]['seconds'])}; "
                          f"{min(ratios):.2f} times as long as the others make one expect")
    return slower


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("bindir", type=pathlib.Path)
    parser.add_argument("workdir", type=pathlib.Path)
    parser.add_argument("--only", nargs="+", choices=GROUPS)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--figures", type=pathlib.Path, default=HERE / "figures.json")
    options = parser.parse_args()
    header, start = machine(), time.monotonic()
    print(f"{header}\n")
    for path in sorted(options.workdir.glob("*.safetensors")):  # into the page cache
        if path.stem in ("base", "tuned", "sdxl-rank128", "sdxl-rank64"):
            with open(path, "rb") as file:
                while file.read(1 << 24):
                    pass
    figures = measured(options)
    print(f"\n{(time.monotonic() - start) / 60:.1f} minutes")
    if options.json:
        options.json.write_text(json.dumps({"machine": header, "jobs": figures}, indent=1) + "\n")
    slower = compared(figures, json.loads(options.figures.read_text())["jobs"]) if options.figures.exists() else []
    for line in slower:
        print(f"all.py: slower: {line}", file=sys.stderr)
    sys.exit(1 if slower else 0)


if __name__ == "__main__":
    main()
