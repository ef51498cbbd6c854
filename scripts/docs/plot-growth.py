#!/usr/bin/env python3
"""Draws the picture of docs/performance.md of how time and memory grow, by what benchmark-growth.py has measured.

usage: plot-growth.py OUT.svg FIGURES.json

Logarithmic axes: where time grows with the numbers of a checkpoint, lines are as steep as the dashed one. Needs
matplotlib. The same figures and version draw the same bytes.
"""

import json
import pathlib
import sys

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.hashsalt": "lyco", "font.size": 9, "svg.fonttype": "none"})

import matplotlib.pyplot as plt  # noqa: E402


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.split("\n\n")[1])
    rows = json.loads(pathlib.Path(sys.argv[2]).read_text())
    threads = max(row["threads"] for row in rows)
    rows = [row for row in rows if row["threads"] == threads]
    figure, (time, memory) = plt.subplots(1, 2, figsize=(7, 3), layout="constrained")
    for job in dict.fromkeys(row["job"] for row in rows):
        each = [row for row in rows if row["job"] == job]
        numbers = [row["parameters"] for row in each]
        time.plot(numbers, [row["seconds"] for row in each], "o-", markersize=3, linewidth=1.2, label=job)
        memory.plot(numbers, [row["anonymous"] / 1e6 for row in each], "o-", markersize=3, linewidth=1.2)
    ends = [min(row["parameters"] for row in rows), max(row["parameters"] for row in rows)]
    time.plot(ends, [end / 1e9 for end in ends], "--", color="grey", linewidth=0.8, label="1 s a billion")
    time.set_ylabel(f"seconds, {threads} threads")
    memory.set_ylabel("anonymous memory, MB")
    for axes in (time, memory):
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("numbers of the checkpoint")
        axes.grid(alpha=0.3)
    memory.set_ylim(bottom=1)
    time.legend(frameon=False)
    figure.savefig(sys.argv[1], metadata={"Date": None})


if __name__ == "__main__":
    main()
