#!/usr/bin/env python3
"""Kills a rank of a training of two at random moments, again and again.

usage: kill-ranks.py BINDIR [--kills N] [--seed S]

After each kill all ranks must have ended within 10 s, and what is left must be whole: a run that goes on from the last
state, or begins anew where there is none, must end with the bits of one that nobody disturbed. By turns a rank is killed
(SIGKILL), mpirun gets Ctrl-C (SIGINT), and a rank stands still (SIGSTOP). Needs Open MPI.
"""

import argparse
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TINY = ROOT / "Fixtures" / "training" / "tiny"
STEPS = 60


def command(tool, folder, name, ranks, state=None):
    words = [tool, "--pretrained_model_name_or_path", TINY, "--train_data_dir", TINY / "images",
             "--caption_extension", ".txt", "--resolution", "64", "--output_dir", folder, "--output_name", name,
             "--network_dim", "2", "--max_train_steps", STEPS, "--learning_rate", "1e-3", "--seed", "1",
             "--threads", "1", "--quiet", "--cache_latents", "--save_state", "--save_every_n_steps", "7",
             "--save_last_n_steps_state", "7", "--network_args", "rank_dropout=0.2", "--ema_decay", "0.9",
             "--gradient_accumulation_steps", 2 // ranks]
    if state:
        words += ["--resume", state]
    start = [] if ranks == 1 else ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", ranks]
    return [str(word) for word in start + words]


def tensors(path):
    """The bytes behind the header, which tells the time."""
    data = path.read_bytes()
    return data[8 + int.from_bytes(data[:8], "little"):]


def children(process):
    path = pathlib.Path(f"/proc/{process}/task/{process}/children")
    return [int(word) for word in path.read_text().split()] if path.exists() else []


def is_running(process):
    """Not where it has ended and only waits to be asked how."""
    try:
        stat = pathlib.Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("bin", type=pathlib.Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    tool = options.bin.resolve() / "lyco-train"
    draw = random.Random(options.seed)
    environment = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    failures = 0
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        started = time.monotonic()
        subprocess.run(command(tool, work / "whole", "run", 2), env=environment, check=True, stderr=subprocess.DEVNULL)
        length = time.monotonic() - started
        expected = tensors(work / "whole" / "run.safetensors")
        for number in range(options.kills):
            folder = work / f"{number}"
            kind = ("kill", "Ctrl-C", "standstill")[number % 3]
            with open(work / "errors", "w+") as errors:
                process = subprocess.Popen(command(tool, folder, "run", 2), env=environment, stderr=errors)
                time.sleep(draw.uniform(0.1, 0.9) * length)
                ranks = sorted(children(process.pid))
                moment = time.monotonic()
                if kind == "Ctrl-C":
                    process.send_signal(signal.SIGINT)
                elif ranks:
                    os.kill(draw.choice(ranks), signal.SIGKILL if kind == "kill" else signal.SIGSTOP)
                try:
                    process.wait(timeout=10)
                    took = time.monotonic() - moment
                except subprocess.TimeoutExpired:
                    took = 10
                    process.kill()
                left = [rank for rank in ranks if is_running(rank)]
                errors.seek(0)
                said = [line for line in errors.read().splitlines() if re.match("interrupted|Error: ", line)]
            # A folder that a kill left before any file took its place is no state yet.
            states = [path for path in folder.glob("*-state")
                      if any((path / name).exists() for name in ("train_state.json", ".lyco-exchange"))]
            state = max(states, key=lambda path: path.name, default=None)
            # With one rank as with two: what counts is the batches of a step.
            ranks = draw.choice([1, 2])
            again = subprocess.run(command(tool, folder, "run", ranks, state), env=environment, stderr=subprocess.PIPE,
                                   text=True)
            finished = process.returncode == 0
            adapter = folder / "run.safetensors"
            is_same = adapter.exists() and tensors(adapter) == expected
            is_good = took < 10 and not left and is_same and (again.returncode == 0 or finished)
            failures += not is_good
            print(f"{number + 1}: {kind}, ended in {took:.2f} s, "
                  f"{state.name if state else 'no state'}, {'same bits' if is_same else 'OTHER BITS'}"
                  f"{'' if is_good else ' FAILED'}{': ' + said[0] if said else ''}", flush=True)
            if not is_good:
                print(again.stderr, left)
    print(f"{options.kills - failures} of {options.kills} as they should be")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
