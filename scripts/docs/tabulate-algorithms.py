#!/usr/bin/env python3
"""Writes the table of docs/algorithms.md: what each algorithm makes of the bundled real pairs.

usage: tabulate-algorithms.py [BINDIR]      (default: .build/release)

Every line is one run of lyco-extract; bytes are those of the file, the relative error and the
seconds those of its report (reading, factorizing, writing). The table stands between two comments
in the page, which is rewritten in place. Needs Python's standard library alone.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "algorithms.md"
START, END = "<!-- table: scripts/docs/tabulate-algorithms.py -->", "<!-- end of table -->"
PAIRS = ("fashion-ddpm", "chgnet", "waifu2x-cunet")
RUNS = (
    "--algo lora --linear_dim 4",
    "--algo lora --linear_dim 16",
    "--algo lora --linear_dim 16 --use_tucker",
    "--algo lora --linear_dim 16 --dora_wd",
    "--algo loha --linear_dim 8",
    "--algo loha --linear_dim 8 --dora_wd",
    "--algo lokr --factor 2 --linear_dim 16",
    "--algo lokr --factor 8 --linear_dim 16",
    "--algo lokr --factor auto --linear_dim 16",
    "--algo lokr --factor 8 --linear_dim 4 --decompose_both",
    "--algo glora --linear_dim 8",
    "--algo ia3",
    "--algo diag-oft --linear_dim 8",
    "--algo diag-oft --linear_dim 8 --rescaled",
    "--algo boft --linear_dim 8",
    "--algo lora --max_error 0.5",
    "--algo auto --max_error 0.5",
    "--algo lora --max_size 150KB",
    "--algo auto --max_size 150KB",
    "--algo full",
)


def extract(bindir: pathlib.Path, pair: str, options: str) -> str:
    folder = ROOT / "Fixtures" / "real" / pair
    with tempfile.TemporaryDirectory() as scratch:
        adapter = pathlib.Path(scratch) / "adapter.safetensors"
        result = subprocess.run(
            [bindir / "lyco-extract", folder / "base.safetensors", folder / "tuned.safetensors",
             "-o", adapter, "--save_precision", "fp16", "--json", *options.split()],
            capture_output=True, text=True)
        if result.returncode != 0:
            sys.exit(f"tabulate-algorithms.py: {pair} {options}: {result.stderr.strip()}")
        totals = json.loads(result.stdout)["totals"]
        kilobytes = adapter.stat().st_size / 1000
        return f"{kilobytes:,.0f} | {totals['relative_error']:.3f} | {totals['seconds']:.2f}"


def main() -> None:
    bindir = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / ".build" / "release"
    lines = ["| options | " + " | ".join(f"{pair}: kB | error | s" for pair in PAIRS) + " |",
             "| --- |" + " ---: | ---: | ---: |" * len(PAIRS)]
    for options in RUNS:
        cells = [extract(bindir, pair, options) for pair in PAIRS]
        lines.append(f"| `{options}` | " + " | ".join(cells) + " |")
        print(lines[-1])
    before, rest = PAGE.read_text().split(START)
    after = rest.split(END)[1]
    PAGE.write_text(before + START + "\n" + "\n".join(lines) + "\n" + END + after)


main()
