#!/usr/bin/env python3
"""Measures what ranks exchange for a step, beside MPI_Allreduce of the same bytes, and prints the tables of
docs/clusters.md.

usage: benchmark-ranks.py [--bytes N ...] [--ranks N ...] [--rounds R] [--transports memory tcp]

The exchange is the C of Sources/CMPI, compiled here (CC, default clang): every rank sends each other rank the part that
it owns, which adds the terms in the order of ranks, and the sums go to all. Times are medians, in ms, from the moment
that all ranks have come to it until all have left. All ranks are on this machine; `tcp` leaves out shared memory.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
# What is trained, in bytes of f32: adapters of rank 16 of kohya's LoRA.
PAYLOADS = {"SD1.5": 27e6, "SDXL": 170e6, "HunyuanVideo": 236e6}
# Seconds of a rank's batch: one picture of 512 pixels of SD1.5 on two cores.
STEP = 10.0
NETWORKS = {"1 GbE": 0.117e9, "10 GbE": 1.17e9, "100 GbE": 11.7e9}


def build(folder):
    program = folder / "exchange"
    subprocess.run([os.environ.get("CC", "clang"), "-O2", f"-I{ROOT / 'Sources/CMPI/include'}",
                    ROOT / "scripts/benchmarks/exchange.c", ROOT / "Sources/CMPI/mpi.c", "-ldl",
                    "-o", program], check=True)
    return program


def exchange(program, ranks, size, rounds, transport):
    """Median ms of the ordered sum and of MPI_Allreduce."""
    command = ["mpirun", "--oversubscribe", "-n", str(ranks)]
    if transport == "tcp":
        command += ["--mca", "btl", "self,tcp"]
    environment = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    result = subprocess.run([*command, program, str(size), str(rounds)], env=environment,
                            stdout=subprocess.PIPE, text=True)
    if result.returncode:
        sys.exit(f"benchmark-ranks.py: {' '.join(map(str, command))} failed with {result.returncode}")
    found = json.loads(result.stdout)
    return found["ordered_ms"], found["allreduce_ms"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--bytes", type=int, nargs="+", default=[27_000_000])
    parser.add_argument("--ranks", type=int, nargs="+", default=[2, 3, 4])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--transports", nargs="+", choices=["memory", "tcp"], default=["memory", "tcp"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        program = build(pathlib.Path(folder))
        print("| MB | ranks | by | in the order of ranks, ms | MPI_Allreduce, ms | ratio |")
        print("| --- | --- | --- | --- | --- | --- |")
        for size in options.bytes:
            for transport in options.transports:
                for ranks in options.ranks:
                    ordered, bare = exchange(program, ranks, size, options.rounds, transport)
                    by = "shared memory" if transport == "memory" else "TCP, loopback"
                    print(f"| {size / 1e6:.0f} | {ranks} | {by} | {ordered:.0f} | {bare:.0f} | "
                          f"{ordered / bare:.2f} |", flush=True)
    # Each rank sends and receives 2·(N − 1)/N of the payload, both ways at once.
    print("\n| payload of a step | ranks | " + " | ".join(NETWORKS) + " |")
    print("| --- | --- |" + " --- |" * len(NETWORKS))
    for family, payload in PAYLOADS.items():
        for ranks in (2, 4, 8):
            times = [2 * (ranks - 1) / ranks * payload / rate for rate in NETWORKS.values()]
            cells = [f"{time:.3f}, {100 * STEP / (STEP + time):.1f} %" for time in times]
            print(f"| {family}, {payload / 1e6:.0f} MB | {ranks} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
