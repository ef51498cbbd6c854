#!/usr/bin/env python3
"""Draws the loss curve of docs/training.md from the table of steps of lyco-train (--log_csv).

usage: plot-training.py OUT.svg TABLE.csv... [--average N]

One curve for each table, named for its file: the mean of the last N (50) losses; dots where images
that are held out were judged.
Needs matplotlib. The same tables and version draw the same bytes.
"""

import argparse
import csv
import pathlib

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.hashsalt": "lyco", "font.size": 9, "svg.fonttype": "none"})

import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402


def column(rows, name):
    """Steps and numbers of a column, where it has one."""
    pairs = [(int(row["step"]), float(row[name])) for row in rows if row.get(name)]
    return np.array(pairs).T if pairs else (np.empty(0), np.empty(0))


def averaged(values, count):
    """The mean of each value and up to `count` - 1 before it."""
    sums = np.concatenate([[0], np.cumsum(values)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - count)
    return (sums[ends] - sums[starts]) / (ends - starts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("tables", nargs="+", type=pathlib.Path)
    parser.add_argument("--average", type=int, default=50)
    options = parser.parse_args()
    figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
    for path in options.tables:
        with open(path, newline="") as file:
            rows = list(csv.DictReader(file))
        steps, losses = column(rows, "loss/current")
        # A point for every 1/200 of the run: more is not seen, and makes the file large.
        shown = np.unique(np.linspace(0, len(steps) - 1, 200).astype(int))
        line, = axes.plot(steps[shown], averaged(losses, options.average)[shown], label=path.stem,
                          linewidth=1.2)
        held = column(rows, "loss/validation/step_average")
        if len(held[0]):
            axes.plot(*held, "o--", color=line.get_color(), markersize=3, linewidth=0.8,
                      label=f"{path.stem}, held out")
    axes.set_xlabel("step")
    axes.set_ylabel(f"loss, mean of {options.average} steps")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(options.out, metadata={"Date": None})


if __name__ == "__main__":
    main()
