#!/usr/bin/env python3
"""Measures the extractions that take longest and prints their table of docs/performance.md.

usage: benchmark-extractions.py BINDIR WORKDIR [--jobs glora auto ...] [--threads N] [--reports FOLDER]

WORKDIR has the checkpoints of benchmark.sh, base.safetensors and tuned.safetensors. One run each: seconds, and those
of the processors, in the program and in the system. With --reports what each run reports is kept in a folder, for
compare-extractions.py.
"""

import argparse
import os
import pathlib
import sys
import tempfile

from extraction_jobs import SLOW as JOBS
from measure import measure


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("bindir", type=pathlib.Path)
    parser.add_argument("workdir", type=pathlib.Path)
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=list(JOBS))
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--reports", type=pathlib.Path)
    options = parser.parse_args()
    if options.reports:
        options.reports.mkdir(parents=True, exist_ok=True)
    print("| options | seconds | processors, program | system | anonymous memory |")
    print("| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory(dir=options.workdir) as folder:
        reports = options.reports or pathlib.Path(folder)
        for job in options.jobs:
            found = measure(
                [options.bindir / "lyco-extract", options.workdir / "base.safetensors",
                 options.workdir / "tuned.safetensors", "-o", f"{folder}/{job}.safetensors", "--quiet",
                 "--threads", str(options.threads), "--report", reports / f"{job}.json", *JOBS[job]])
            if found["status"]:
                sys.exit(f"benchmark-extractions.py: {job} ended with status {found['status']}")
            print(f"| `{' '.join(JOBS[job])}` | {found['seconds']:.1f} | {found['user_seconds']:.1f} | "
                  f"{found['system_seconds']:.1f} | {found['peak_anonymous_bytes'] / 1e6:.0f} MB |", flush=True)


if __name__ == "__main__":
    main()
