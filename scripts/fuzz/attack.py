#!/usr/bin/env python3
"""Attacks the five tools and prints a table: what was done, how often, how often all went right, and the most
anonymous memory that a refusal took.

    scripts/fuzz/attack.py BIN [--only ROW,…] [--scenario NAME] [--seed 1] [--jobs 2] [--times 14] [--full] [--keep FOLDER]

Rows: kill-random, kill-call, kill-named, signals, fail-call, output, places, limits, peft, toml, caches, states,
index, options, numbers. Without --full the k-th call is a sample of the calls on a file system, and of the options every
value of three. Right means: inputs are as they were; each output is the old one or the new one, whole, or refused
by readers with the command that finishes it; the next run leaves the new ones and no debris; the status is
documented; an error is one line; a refusal takes less than 300 MB.
"""

import argparse
import concurrent.futures
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from attacks import caches, faults, indexes, limits, numbers, options, places, states, texts  # noqa: E402
from attacks.bench import MEMORY, Bench  # noqa: E402
from attacks.scenarios import prepare  # noqa: E402


ROWS = {"kill-random": faults.kill_random, "kill-call": faults.kill_call, "kill-named": faults.kill_named,
        "signals": faults.signals, "fail-call": faults.fail_call, "output": faults.outputs, "places": places.places,
        "limits": limits.limits, "peft": texts.peft, "toml": texts.toml, "caches": caches.caches,
        "states": states.states, "index": indexes.indexes, "options": options.options,
        "numbers": numbers.numbers}


def run(name, bench, jobs):
    """How many were tried, how many were right, and megabytes of the dearest refusal."""
    tried = right = 0
    bench.memory = (0, "")
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for title, fault in pool.map(lambda work: work(), ROWS[name](bench)):
            tried += 1
            right += not fault
            if fault:
                print(f"  {name}: {title}: {fault}", flush=True)
    peak, command = bench.memory
    if peak > MEMORY:
        right -= 1
        print(f"  {name}: a refusal that took {peak >> 10} MB: {command}", flush=True)
    return tried, right, peak >> 10


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bin", type=pathlib.Path)
    parser.add_argument("--only", default=",".join(ROWS))
    parser.add_argument("--scenario")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--times", type=int, default=14)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--keep", type=pathlib.Path)
    arguments = parser.parse_args()
    names = arguments.only.split(",")
    unknown = sorted(set(names) - set(ROWS))
    if unknown:
        parser.error(f"unknown row {unknown[0]}; one of: {' '.join(ROWS)}")
    if arguments.keep:
        arguments.keep.mkdir(parents=True, exist_ok=True)
    table = {}
    with tempfile.TemporaryDirectory(prefix="lyco-attack-") as place:
        bench = Bench(arguments.bin.resolve(), place, arguments, prepare)
        for name in names:
            table[name] = run(name, bench, arguments.jobs)
    print(f"{'row':12} {'tried':>6} {'right':>6}  MB of a refusal")
    for name, (tried, right, peak) in table.items():
        print(f"{name:12} {tried:6} {right:6} {peak:6}")
    sys.exit(any(tried != right for tried, right, _ in table.values()))


if __name__ == "__main__":
    main()
