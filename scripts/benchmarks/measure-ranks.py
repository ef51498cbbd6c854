#!/usr/bin/env python3
"""Measures the memory of a training by several ranks of this machine, and prints the table of docs/clusters.md.

usage: measure-ranks.py BINDIR CHECKPOINT IMAGES [--ranks N ...] [--precision no|bf16] [--size PIXELS]

Memory is the sum over all ranks of their proportional sets (Pss) of anonymous memory and of memory that they share, at
its peak; mapped files are left out. What two ranks share counts half for each.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time


def processes(parent):
    """Children of a process, and theirs."""
    found = []
    for task in pathlib.Path(f"/proc/{parent}/task").glob("*/children"):
        try:
            children = [int(word) for word in task.read_text().split()]
        except OSError:
            continue
        for child in children:
            found += [child, *processes(child)]
    return found


def memory(process):
    """Anonymous and shared bytes."""
    try:
        text = pathlib.Path(f"/proc/{process}/smaps_rollup").read_text()
    except OSError:
        return 0, 0
    sizes = dict(re.findall(r"^(\w+): +(\d+) kB", text, re.MULTILINE))
    return int(sizes.get("Pss_Anon", 0)) * 1024, int(sizes.get("Pss_Shmem", 0)) * 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("bin", type=pathlib.Path)
    parser.add_argument("checkpoint", type=pathlib.Path)
    parser.add_argument("images", type=pathlib.Path)
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--precision", choices=["no", "bf16"], default="bf16")
    parser.add_argument("--size", type=int, default=64)
    options = parser.parse_args()
    environment = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    print("| ranks | memory of all, GB | of it shared, GB | for each, GB |")
    print("| --- | --- | --- | --- |")
    for ranks in options.ranks:
        with tempfile.TemporaryDirectory() as folder:
            start = [] if ranks == 1 else ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(ranks)]
            command = [*start, options.bin / "lyco-train", "--pretrained_model_name_or_path", options.checkpoint,
                       "--train_data_dir", options.images, "--resolution", str(options.size), "--output_dir", folder,
                       "--network_dim", "4", "--network_train_unet_only", "--cache_latents", "--max_train_steps", "2",
                       "--mixed_precision", options.precision, "--seed", "1", "--threads", "1", "--quiet"]
            process = subprocess.Popen([str(word) for word in command], env=environment, stderr=subprocess.DEVNULL)
            peak = (0, 0)
            while process.poll() is None:
                found = [memory(child) for child in [process.pid, *processes(process.pid)]]
                total = tuple(map(sum, zip(*found)))
                peak = max(peak, total, key=sum)
                time.sleep(0.1)
            if process.returncode:
                sys.exit(f"measure-ranks.py: lyco-train by {ranks} ranks failed with {process.returncode}")
        print(f"| {ranks} | {sum(peak) / 1e9:.2f} | {peak[1] / 1e9:.2f} | {sum(peak) / ranks / 1e9:.2f} |", flush=True)


if __name__ == "__main__":
    main()
