#!/usr/bin/env python3
"""Attacks the five tools and prints a table: what was done, how often, and how often all went right.

    scripts/attack.py BIN [--only ROW,…] [--seed 1] [--jobs 2] [--times 14] [--full] [--keep FOLDER]

Rows: kill-random, kill-call, kill-named, signals, fail-call, output, places, limits, peft, toml, caches, states,
index, options. Without --full the k-th call is a sample of the calls on a file system, and of the options every
value of three. Right means: inputs are as they were; each output is the old one or the new one, whole, or refused
by readers with the command that finishes it; the next run leaves the new ones and no debris; the status is
documented; an error is one line.
"""

import argparse
import concurrent.futures
import errno
import importlib.util
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "Fixtures"


def load(name):
    spec = importlib.util.spec_from_file_location(name.replace("-", "_"), ROOT / f"scripts/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


sweep = load("sweep-options")
mutate = load("mutate-tools")
LIMIT = 30
MEMORY = 300_000


# === Scenarios: a tool, its arguments, those that make the old outputs, and what changes places together ===

class Scenario:
    def __init__(self, name, tool, arguments, former=None, sets=(), volatile=(), entry=None, in_place=False):
        self.name, self.tool, self.arguments, self.former = name, tool, arguments, former
        self.sets, self.volatile, self.entry, self.in_place = sets, volatile, entry, in_place


def scenarios():
    merge = ["base.safetensors", "a.safetensors"]
    weak = ["--ratio", "0.5"]
    train = ["--pretrained_model_name_or_path", "tiny", "--train_data_dir", "images", "--resolution", "32",
             "--caption_extension", ".txt", "--network_module", "lycoris.kohya", "--network_args",
             "exclude_patterns=['.*']", "include_patterns=['conv_in']", "--network_dim", "2", "--seed", "7",
             "--no_metadata", "--output_dir", "o", "--output_name", "t"]
    state = [r"(o/t[^/]*-state/)"]
    yield Scenario("one file", "lyco-merge", [*merge, "-o", "o.safetensors"], [*merge, *weak, "-o", "o.safetensors"])
    yield Scenario("shards", "lyco-merge", [*merge, "-o", "o.safetensors", "--shard_size", "200"],
                   [*merge, *weak, "-o", "o.safetensors", "--shard_size", "100"], [r"o[-.]"],
                   entry="o.safetensors.index.json")
    yield Scenario("folder", "lyco-merge", ["pipeline", "p.safetensors", "-o", "o"],
                   ["pipeline", "p.safetensors", *weak, "-o", "o"], ["o/"], entry="o")
    yield Scenario("new folder", "lyco-merge", ["pipeline", "p.safetensors", "-o", "n/o"], None, ["n/"], entry="n/o")
    yield Scenario("shards where one file was", "lyco-merge", [*merge, "-o", "o.safetensors", "--shard_size", "200"],
                   [*merge, *weak, "-o", "o.safetensors"], [r"o[-.]"], entry="o.safetensors.index.json")
    yield Scenario("one file where shards were", "lyco-merge", [*merge, "-o", "o.safetensors"],
                   [*merge, *weak, "-o", "o.safetensors", "--shard_size", "100"], [r"o[-.]"], entry="o.safetensors")
    yield Scenario("shards in place", "lyco-merge",
                   ["s.safetensors.index.json", "a.safetensors", "-o", "s.safetensors", "--shard_size", "100"],
                   [*merge, *weak, "-o", "s.safetensors", "--shard_size", "100"], [r"s[-.]"],
                   entry="s.safetensors.index.json", in_place=True)
    yield Scenario("base in place", "lyco-merge", ["s.safetensors", "a.safetensors", "-o", "s.safetensors"],
                   [*merge, *weak, "-o", "s.safetensors"], [r"s\."], entry="s.safetensors", in_place=True)
    yield Scenario("extract with report", "lyco-extract",
                   ["base.safetensors", "tuned.safetensors", "-o", "o.safetensors", "--report", "r.json",
                    "--linear_dim", "2"],
                   ["base.safetensors", "tuned.safetensors", "-o", "o.safetensors", "--report", "r.json",
                    "--linear_dim", "1"], volatile=[r"r\.json$"])
    yield Scenario("PEFT folder", "lyco-convert", ["p.safetensors", "--to", "peft", "-o", "o", "--family", "sd1"],
                   ["p.safetensors", "--to", "peft", "-o", "o", "--family", "sd1", "--dim", "1"], ["o/"],
                   entry="o/unet/adapter_model.safetensors")
    yield Scenario("HCP pair", "lyco-convert",
                   ["p.safetensors", "--to", "hcp", "-o", "h.safetensors", "--family", "sd1"],
                   ["p.safetensors", "--to", "hcp", "-o", "h.safetensors", "--family", "sd1", "--dim", "1"],
                   [r"(unet|text_encoder)-h"], entry="unet-h.safetensors")
    yield Scenario("several conversions", "lyco-convert",
                   ["a.safetensors", "p.safetensors", "--output_dir", "o", "--overwrite"],
                   ["a.safetensors", "p.safetensors", "--dim", "1", "--output_dir", "o"])
    yield Scenario("checkpoint", "lyco-convert", ["base.safetensors", "--save_precision", "fp16", "-o", "c.safetensors"],
                   ["base.safetensors", "--save_precision", "bf16", "-o", "c.safetensors"])
    yield Scenario("sum of checkpoints", "lyco-convert",
                   ["base.safetensors", "tuned.safetensors", "--ratio", "0.5", "0.5", "-o", "c.safetensors",
                    "--shard_size", "200"], None, [r"c[-.]"], entry="c.safetensors.index.json")
    yield Scenario("report of a conversion", "lyco-convert",
                   ["a.safetensors", "--dim", "1", "--report", "r.json", "-o", "o.safetensors"],
                   volatile=[r"r\.json$"])
    yield Scenario("inspection", "lyco-inspect", ["base.safetensors", "--check", "--json"])
    yield Scenario("training with states", "lyco-train",
                   [*train, "--max_train_steps", "3", "--save_every_n_steps", "1", "--save_state",
                    "--save_last_n_steps", "1", "--save_last_n_steps_state", "1"], None, state)
    yield Scenario("training over another", "lyco-train", [*train, "--max_train_steps", "2", "--save_state"],
                   [*train, "--max_train_steps", "1", "--save_state"], state)
    yield Scenario("npz caches and logs", "lyco-train",
                   [*train, "--max_train_steps", "1", "--cache_latents_to_disk", "--log_csv", "log.csv",
                    "--logging_dir", "logs"], None, (), [r"log\.csv$", r"logs/"])
    yield Scenario("zst caches", "lyco-train",
                   [*train, "--max_train_steps", "1", "--cache_latents_to_disk", "--latent_cache_format",
                    "safetensors.zst"])


def prepare(folder):
    sweep.prepare(folder)
    write = sweep.write_safetensors
    shutil.copy(folder / "adapter.safetensors", folder / "a.safetensors")
    block = "down_blocks.0.attentions.0.transformer_blocks.0.attn1"
    text = "text_model.encoder.layers.0.self_attn"
    for part in ("unet", "text_encoder"):
        (folder / "pipeline" / part).mkdir(parents=True)
    (folder / "pipeline/model_index.json").write_text("{}")
    (folder / "pipeline/unet/config.json").write_text('{"_class_name": "UNet2DConditionModel"}')
    write(folder / "pipeline/unet/diffusion_pytorch_model.safetensors",
          {f"{block}.to_{n}.weight": [4, 3] for n in "qkv"})
    write(folder / "pipeline/text_encoder/model.safetensors", {f"{text}.q_proj.weight": [4, 3]})
    adapter = {}
    for name in (f"lora_unet_{block}_to_q", f"lora_te_{text}_q_proj"):
        name = name.replace(".", "_")
        adapter |= {f"{name}.lora_up.weight": [4, 2], f"{name}.lora_down.weight": [2, 3], f"{name}.alpha": []}
    write(folder / "p.safetensors", adapter)
    for image in sorted((folder / "images").glob("*"))[4:]:
        image.unlink()
    shutil.copytree(FIXTURES / "training/tiny", folder / "tiny",
                    ignore=lambda _, names: [n for n in names if n in ("images", "validation") or "judge" in n])


# === Runs ===

class Attack:
    def __init__(self, binaries, place, keep):
        self.binaries, self.place, self.keep = binaries, pathlib.Path(place), keep
        self.source = self.place / "source"
        self.source.mkdir()
        prepare(self.source)
        self.shim = self.place / "faults.so"
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-I",
                        str(ROOT / "Tests/FileFaults/include"), str(ROOT / "Tests/FileFaults/faults.c"), "-o",
                        str(self.shim), "-ldl"], check=True)
        self.memory = (0, "")

    def folder(self):
        """A copy of the inputs; the pipeline, which nothing may change, is a link."""
        folder = pathlib.Path(tempfile.mkdtemp(prefix="run-", dir=self.place))
        shutil.copytree(self.source, folder, dirs_exist_ok=True, symlinks=True,
                        ignore=lambda place, names: ["tiny"] if pathlib.Path(place) == self.source else [])
        os.symlink(self.source / "tiny", folder / "tiny")
        return folder

    def start(self, tool, arguments, folder, environment=(), **options):
        environment = dict(os.environ, SWIFT_BACKTRACE="enable=no", OPENBLAS_NUM_THREADS="1", **dict(environment))
        options = {"stdin": subprocess.DEVNULL, "stdout": open(folder.parent / f"{folder.name}.out", "wb"),
                   "stderr": open(folder.parent / f"{folder.name}.err", "wb")} | options
        return subprocess.Popen([str(self.binaries / tool), *arguments], cwd=folder, env=environment, **options)

    def end(self, process, folder, limit=LIMIT):
        """status (None after the limit), what was printed"""
        status, peak = mutate.wait(process, limit)
        out, err = (folder.parent / f"{folder.name}.{e}" for e in ("out", "err"))
        errors = err.read_text(errors="replace") if err.exists() else ""
        if status not in (0, None) and peak > self.memory[0]:
            self.memory = (peak, " ".join(map(str, process.args))[:160])
        output = out.read_bytes() if out.exists() else b""
        return status, output, errors

    def run(self, tool, arguments, folder, environment=(), **options):
        return self.end(self.start(tool, arguments, folder, environment, **options), folder)

    def check_refusal(self, status, errors, allowed=(0, 1, 64)):
        """What is wrong with an end, or None."""
        if status is None:
            return f"no end after {LIMIT} s"
        if status not in allowed:
            return f"status {status}: {errors.strip().splitlines()[-1:] or ''}"
        lines = [line for line in errors.splitlines() if line.startswith("Error:")]
        if status in (1, 64) and len(lines) != 1:
            return f"status {status} with {len(lines)} lines of error: {errors[-300:]!r}"
        if status == 0 and lines:
            return f"status 0 with an error: {lines[0]}"
        if "\x1b" in errors:
            return "an escape sequence"
        return None


def tree(folder):
    found = {}
    for place, folders, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            if not os.path.islink(path) and os.path.isfile(path):
                with open(path, "rb") as file:
                    # The time of a training stands in its adapter.
                    found[os.path.relpath(path, folder)] = re.sub(
                        rb'"modelspec.date":"[^"]*"', b'"modelspec.date":""', file.read())
    return found


class Judge:
    """One scenario: its start, the outputs of a run without faults, and whether what a fault left is right."""

    def __init__(self, attack, scenario):
        self.attack, self.scenario = attack, scenario
        start = attack.folder()
        if scenario.former:
            status, _, errors = attack.run(scenario.tool, scenario.former, start)
            assert status == 0, f"{scenario.name}: {errors}"
        self.folder, self.start = start, tree(start)
        whole = self.fresh()
        began = time.monotonic()
        status, self.output, errors = attack.run(scenario.tool, scenario.arguments, whole)
        self.seconds = time.monotonic() - began
        assert status == 0, f"{scenario.name}: {errors}"
        self.whole = tree(whole)
        assert not self.hidden(self.whole), scenario.name
        again = self.fresh()
        attack.run(scenario.tool, scenario.arguments, again)
        for name, content in tree(again).items():
            assert self.is_volatile(name) or self.whole.get(name) == content, f"{scenario.name}: {name} varies"
        self.drop(whole), self.drop(again)

    def fresh(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="run-", dir=self.attack.place))
        shutil.copytree(self.folder, folder, dirs_exist_ok=True, symlinks=True)
        return folder

    def drop(self, folder):
        shutil.rmtree(folder, ignore_errors=True)
        for ending in ("out", "err"):
            (folder.parent / f"{folder.name}.{ending}").unlink(missing_ok=True)

    def is_volatile(self, name):
        return any(re.match(p, name) for p in self.scenario.volatile)

    @staticmethod
    def hidden(files):
        return [n for n in files if any(p.startswith(".") for p in n.split("/"))]

    def set_of(self, name):
        for pattern in self.scenario.sets:
            found = re.match(pattern, name)
            if found:
                return found.group(1) if found.groups() else pattern
        return name

    def torn(self, left):
        """Sets that are neither of the start, nor of a moment of the run."""
        groups = {}
        for name in {*left, *self.start, *self.whole}:
            if not self.is_volatile(name) and not self.hidden([name]):
                groups.setdefault(self.set_of(name), set()).add(name)
        return [group for group, names in groups.items()
                if any(left.get(n) != self.start.get(n) for n in names)
                and any(left.get(n) != self.whole.get(n) for n in names)]

    def check(self, folder, status, errors, name, allowed):
        """None, or what is wrong. Ends with the folder as the next run leaves it."""
        scenario, attack, left = self.scenario, self.attack, tree(folder)
        for path, content in self.start.items():
            if self.whole.get(path) == content and left.get(path) != content:
                return f"{path} has changed"
        if status not in allowed:
            return f"status {status}: {errors[-200:]!r}"
        if status == 0 and self.torn(left) and any(
                left.get(n) != c for n, c in self.whole.items() if not self.is_volatile(n)):
            return "status 0 without the outputs"
        if status == 130 and "nothing was written" in errors and any(
                left.get(n) != c for n, c in self.start.items()):
            return "it is said that nothing was written, and something was"
        for group in self.torn(left):
            # Saves that the run removes again have moments of their own.
            if scenario.tool == "lyco-train":
                continue
            status, _, errors = attack.run("lyco-inspect", [scenario.entry or group], folder)
            if "--finish" not in errors:
                return f"a mixture is read: {group}: {errors[-200:]!r}"
            if scenario.in_place:
                before = tree(folder)
                status, _, errors = attack.run(scenario.tool, scenario.arguments, folder)
                if status == 0:
                    return "merged into what is torn"
                if tree(folder) != before:
                    return "a refusal has changed files"
            status, _, errors = attack.run("lyco-inspect", [scenario.entry or group, "--finish"], folder)
            if status not in (0, 2):
                return f"--finish: {errors[-200:]!r}"
            if self.torn(tree(folder)):
                return "torn after --finish"
        if scenario.in_place and all(tree(folder).get(n) == c for n, c in self.whole.items()):
            return None
        arguments = list(scenario.arguments)
        if scenario.tool == "lyco-train":
            states = sorted(p.parent for p in folder.glob("o/t-step*-state/*") if not p.parent.is_symlink())
            states = [s for s in states if (s / "train_state.json").exists() or (s / ".lyco-exchange/journal").exists()]
            if states:
                arguments += ["--resume", str(states[-1].relative_to(folder))]
        status, _, errors = attack.run(scenario.tool, arguments, folder)
        if status == 1 and "is complete" in errors or "nothing is left" in errors:
            status, _, errors = attack.run(scenario.tool, scenario.arguments, folder)
        if status != 0:
            return f"the next run: status {status}: {errors[-300:]!r}"
        left = tree(folder)
        for path, content in self.whole.items():
            if not self.is_volatile(path) and left.get(path) != content:
                return f"the next run: {path} is {'not there' if path not in left else 'another'}"
        debris = self.hidden(left)
        if debris:
            return f"debris: {debris[:3]}"
        # A training that was stopped has saved its state.
        more = [n for n in left if n not in self.whole and not self.is_volatile(n) and "-state/" not in n]
        return f"more files: {more[:3]}" if more else None


class Rows:
    def __init__(self, attack, arguments):
        self.attack, self.arguments = attack, arguments
        self.judges = None

    def judged(self):
        if self.judges is None:
            self.judges = [Judge(self.attack, s) for s in scenarios()
                           if not self.arguments.scenario or self.arguments.scenario in s.name]
        return self.judges

    def faulty(self, judge, name, allowed, environment=(), during=None):
        folder = judge.fresh()
        process = self.attack.start(judge.scenario.tool, [*judge.scenario.arguments, "--threads", "1"], folder, environment)
        if during:
            during(process)
        status, _, errors = self.attack.end(process, folder)
        fault = judge.check(folder, status, errors, name, allowed)
        if fault and self.arguments.keep:
            kept = self.arguments.keep / re.sub(r"\W+", "-", name)
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(folder, kept, symlinks=True)
        judge.drop(folder)
        return name, fault

    def kill_random(self):
        rng = random.Random(self.arguments.seed)
        for judge in self.judged():
            for i in range(self.arguments.times):
                moment = rng.uniform(0, judge.seconds * 1.1)

                def during(process, moment=moment):
                    time.sleep(moment)
                    process.send_signal(signal.SIGKILL)
                yield lambda j=judge, d=during, m=moment: self.faulty(
                    j, f"{j.scenario.name}, killed after {m:.3f} s", (0, -9), (), d)

    def calls(self, judge, environment):
        log = pathlib.Path(tempfile.mkstemp(dir=self.attack.place)[1])
        folder = judge.fresh()
        self.attack.run(judge.scenario.tool, [*judge.scenario.arguments, "--threads", "1"], folder,
                        {"LD_PRELOAD": str(self.attack.shim), "FAULTS_LOG": str(log), **environment})
        judge.drop(folder)
        names = [line.split()[1] for line in log.read_text().splitlines()]
        log.unlink()
        # Of a run of writes, the first and the last.
        picked = [i + 1 for i, n in enumerate(names)
                  if n not in ("write", "pwrite") or i == 0 or i + 1 == len(names)
                  or names[i - 1] != n or names[i + 1] != n]
        if self.arguments.full or len(picked) <= 24:
            return picked
        rng = random.Random(f"{judge.scenario.name}{self.arguments.seed}")
        return sorted(rng.sample(picked, 24))

    def at_calls(self, faults, environment, allowed):
        for judge in self.judged():
            for number in self.calls(judge, environment):
                for fault in faults(number):
                    yield lambda j=judge, n=number, f=fault: self.faulty(
                        j, f"{j.scenario.name}, call {n} {f}", allowed,
                        {"LD_PRELOAD": str(self.attack.shim), **environment, **f})

    def kill_call(self):
        return self.at_calls(lambda n: [{"FAULTS_KILL": str(n)}], {}, (0, -9))

    def kill_named(self):
        return self.at_calls(lambda n: [{"FAULTS_KILL": str(n)}], {"FAULTS_NAMED": "1"}, (0, -9))

    def fail_call(self):
        return self.at_calls(
            lambda n: [{"FAULTS_FAIL": str(n), "FAULTS_ERRNO": str(e)} for e in (errno.ENOSPC, errno.EIO)], {}, (0, 1))

    def signals(self):
        rng = random.Random(self.arguments.seed + 1)
        for judge in self.judged():
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                for twice in (False, True):
                    for _ in range(3):
                        moment = rng.uniform(0.3, 1.0) * judge.seconds

                        def during(process, moment=moment, number=number, twice=twice):
                            time.sleep(moment)
                            process.send_signal(number)
                            if twice:
                                time.sleep(0.01)
                                process.send_signal(number)
                        # Until it listens, a signal ends a tool as any other program.
                        yield lambda j=judge, d=during, n=number, t=twice, m=moment: self.faulty(
                            j, f"{j.scenario.name}, {n.name}{' twice' if t else ''} after {m:.3f} s",
                            (0, 130, -n), (), d)

    def output(self):
        """Standard output that is full, closed, a pipe without a reader; descriptors that are closed at the start."""
        for judge in self.judged():
            scenario = judge.scenario
            for kind in ("full", "closed", "pipe", "no input", "none"):
                def work(judge=judge, scenario=scenario, kind=kind):
                    folder = judge.fresh()
                    name = f"{scenario.name}, standard output: {kind}"
                    arguments = [str(self.attack.binaries / scenario.tool), *scenario.arguments]
                    words = " ".join("'" + a.replace("'", "'\\''") + "'" for a in arguments)
                    ending = {"full": ">/dev/full", "closed": ">&-", "pipe": "| true; exit ${PIPESTATUS[0]}",
                              "no input": "<&-", "none": "<&- >&- 2>&-"}[kind]
                    done = subprocess.run(["bash", "-c", f"{words} {ending}"], cwd=folder, capture_output=True,
                                          timeout=60, stdin=subprocess.DEVNULL,
                                          env=dict(os.environ, SWIFT_BACKTRACE="enable=no"))
                    errors = done.stderr.decode(errors="replace")
                    prints = bool(judge.output) and kind in ("full", "closed", "none")
                    fault = None
                    if kind == "pipe":
                        fault = None if done.returncode == 0 else f"status {done.returncode}"
                    elif prints and done.returncode != 1:
                        fault = f"results are lost, and the status is {done.returncode}"
                    elif not prints and done.returncode != 0:
                        fault = f"status {done.returncode}: {errors[-200:]}"
                    elif prints and kind != "none" and errors.count("Error:") != 1:
                        fault = f"{errors.count('Error:')} lines of error"
                    left = tree(folder)
                    if not fault and any(left.get(n) != c for n, c in judge.whole.items() if not judge.is_volatile(n)):
                        fault = "outputs are not there, or others"
                    judge.drop(folder)
                    return name, fault
                yield work

    # --- Odd places and limits ---

    def trial(self, name, tool, arguments, setup=None, allowed=(0, 1, 64), expected=None, wrapper=None, after=None):
        """One run in a folder of its own, whatever the setup puts there."""
        def work():
            folder = self.attack.folder()
            extra = setup(folder) if setup else None
            if wrapper:
                words = ["bash", "-c", wrapper + ' "$@"', "-", str(self.attack.binaries / tool), *arguments]
                process = subprocess.Popen(
                    words, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                    env=dict(os.environ, SWIFT_BACKTRACE="enable=no", OPENBLAS_NUM_THREADS="1"))
            else:
                process = self.attack.start(tool, arguments, folder)
            before = tree(folder)
            status, output, errors = self.attack.end(process, folder)
            if wrapper:
                # A limit on the size of files would hold for these as well.
                output, errors = process.stdout.read(), process.stderr.read().decode(errors="replace")
            fault = self.attack.check_refusal(status, errors, allowed)
            if not fault and expected is not None and status not in expected:
                fault = f"expected status {expected}, found {status}: {errors[-300:]!r}"
            if not fault and status:
                changed = [n for n, c in before.items() if tree(folder).get(n) != c]
                debris = Judge.hidden(tree(folder))
                fault = f"changed: {changed[:3]}" if changed else f"debris: {debris[:3]}" if debris else None
            if not fault and after:
                fault = after(folder, status, errors)
            del extra
            if fault and self.arguments.keep:
                kept = self.arguments.keep / re.sub(r"\W+", "-", name)[:80]
                shutil.rmtree(kept, ignore_errors=True)
                shutil.copytree(folder, kept, symlinks=True, ignore=lambda p, names: [n for n in names if n in ("fifo", "sock", "null")])
            if os.path.ismount(folder / "small"):
                subprocess.run(["umount", str(folder / "small")])
            subprocess.run(["chmod", "-R", "u+rwx", str(folder)])
            shutil.rmtree(folder, ignore_errors=True)
            return name, fault
        return work

    WRITERS = [
        ("lyco-merge", ["base.safetensors", "a.safetensors", "-o"]),
        ("lyco-extract", ["base.safetensors", "tuned.safetensors", "-o"]),
        ("lyco-convert", ["a.safetensors", "--dim", "1", "-o"]),
    ]

    def places(self):
        """Outputs and inputs that are no ordinary files."""
        def link(target, name="o.safetensors"):
            return lambda folder: os.symlink(target, folder / name)

        def sock(folder, name="o.safetensors"):
            bound = socket.socket(socket.AF_UNIX)
            here = os.open(".", os.O_RDONLY)
            bound.bind(os.path.relpath(folder / name) if len(str(folder / name)) > 100 else str(folder / name))
            os.close(here)
            return bound

        def is_link(folder, status, errors):
            return None if os.path.islink(folder / "o.safetensors") else "the link was replaced"

        def hard(folder):
            (folder / "other").write_bytes(b"other")
            os.link(folder / "other", folder / "o.safetensors")

        def hard_kept(folder, status, errors):
            return None if (folder / "other").read_bytes() == b"other" else "the other name of the file was written to"

        for tool, words in self.WRITERS:
            o = [*words, "o.safetensors"]
            for name, setup, expected, after in [
                ("dangling link", link("there.safetensors"), (0,), is_link),
                ("loop of links", link("o.safetensors"), (1,), is_link),
                ("link to a folder", link("images"), (1, 64), is_link),
                ("link into a folder that is not there", link("no/there.safetensors"), (0, 1), is_link),
                ("link to an input", link("base.safetensors" if tool != "lyco-convert" else "a.safetensors"),
                 None, is_link),
                ("hard link", hard, (0,), hard_kept),
                ("link to /dev/full", link("/dev/full"), (1, 64), is_link),
                ("link to /dev/null", link("/dev/null"), (1, 64), is_link),
                ("socket", sock, (1, 64), None),
                ("FIFO", lambda f: os.mkfifo(f / "o.safetensors"), (1, 64), None),
                ("folder", lambda f: (f / "o.safetensors").mkdir(), None, None),
            ]:
                yield self.trial(f"{tool}, output: {name}", tool, o, setup, expected=expected, after=after)
            for place in ("/dev/full", "/dev/null", "/dev/stdout", "/proc/self/fd/1", "/proc/self/mem", "/sys/kernel/x",
                          "", ".", "..", "x" * 300 + ".safetensors", "no\nline.safetensors", "\u202e.safetensors",
                          "a/" * 2000 + "o.safetensors"):
                yield self.trial(f"{tool}, output: {place[:30]!r}", tool, [*words, place])
            for place in ("/dev/full", "/dev/null", "/dev/stdout", "/proc/self/fd/2", "no/r.json", "images", "base.safetensors"):
                if tool != "lyco-merge":
                    yield self.trial(f"{tool}, report: {place}", tool, [*o, "--report", place])
            yield self.trial(f"{tool}, umask 777", tool, o, expected=(0, 1), wrapper="umask 777;")
            for inputs in range(2):
                for place in ("/dev/zero", "/dev/null", "/proc/self/maps", "/proc/kmsg", "/proc/self/mem", "/dev/stdin",
                              "/proc/self/environ", "fifo", "sock", ".", "images", "null", "no", "", "loop", "closed"):
                    def setup(folder):
                        os.mkfifo(folder / "fifo")
                        os.symlink("/dev/null", folder / "null")
                        os.symlink("loop", folder / "loop")
                        (folder / "closed").write_bytes(b"x")
                        return sock(folder, "sock")
                    changed = list(o)
                    changed[inputs if tool != "lyco-convert" else 0] = place
                    yield self.trial(f"{tool}, input {inputs}: {place}", tool, changed, setup, allowed=(1, 64))
        train = next(s for s in scenarios() if s.name == "training over another").arguments
        for option in ("--log_csv", "--logging_dir", "--output_dir", "--train_data_dir", "--vae", "--resume",
                       "--dataset_config", "--config_file", "--network_weights", "--sample_prompts", "--tokenizer"):
            for place in ("/dev/full", "/dev/null", "/dev/zero", "/proc/self/maps", "fifo", "sock", "null", "loop",
                          "images/none", "tiny/unet"):
                def setup(folder):
                    os.mkfifo(folder / "fifo")
                    os.symlink("/dev/null", folder / "null")
                    os.symlink("loop", folder / "loop")
                    return sock(folder, "sock")
                yield self.trial(f"lyco-train {option} {place}", "lyco-train", [*train, option, place, "--max_train_steps", "1"], setup)
        # The output folder changes during the work, or is that of another run.
        for tool, words in self.WRITERS:
            def read_only(folder):
                (folder / "r").mkdir(mode=0o555)
            yield self.trial(f"{tool}, read-only folder", tool, [*words, "r/o.safetensors"], read_only)
            yield self.trial(f"{tool}, two at once", tool, [*words, "o.safetensors"],
                             lambda f, t=tool, w=words: [self.attack.start(t, [*w, "o.safetensors"], f) for _ in range(3)],
                             expected=(0,))

    def limits(self):
        """Limits of the process and of the disk."""
        jobs = self.WRITERS + [("lyco-train", None), ("lyco-inspect", None)]
        train = next(s for s in scenarios() if s.name == "training over another").arguments
        for tool, words in jobs:
            arguments = ([*words, "o.safetensors"] if words else train if tool == "lyco-train"
                         else ["base.safetensors", "--check"])
            for wrapper in ["ulimit -f 0;", "ulimit -f 1;", "ulimit -n 16;", "ulimit -n 8;", "ulimit -n 4;",
                            "ulimit -v 600000;", "ulimit -v 900000;", "ulimit -v 1100000;", "ulimit -v 2000000;",
                            "ulimit -s 256;", "ulimit -u 3;", "ulimit -c 0;", "ulimit -l 0;", "ulimit -t 1;",
                            "trap '' PIPE;", "trap '' XFSZ;", "trap '' INT TERM HUP;"]:
                # A limit of processor time is meant to kill.
                allowed = (0, 1, 64) if "-t" not in wrapper else (0, 1, 64, -9, -24, 137, 152)
                yield self.trial(f"{tool}, {wrapper}", tool, arguments, wrapper=wrapper + " exec", allowed=allowed)

            def small(folder):
                (folder / "small").mkdir()
                subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "none", str(folder / "small")], check=False)
            if words:
                yield self.trial(f"{tool}, a disk of 4 KB", tool, [*words, "small/o.safetensors"], small)
            elif tool == "lyco-train":
                yield self.trial(f"{tool}, a disk of 4 KB", tool, [*train, "--output_dir", "small/o"], small)

    # --- Files ---

    def altered(self, name, tool, arguments, files, expected=None):
        def setup(folder):
            for path, content in files.items():
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape"))
        return self.trial(name, tool, arguments, setup, expected=expected)

    def peft(self):
        good = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["a"]}
        text = json.dumps(good)
        bad = {f"cut after {n}": text[:n] for n in (0, 1, 10, len(text) - 1)}
        bad |= {"not UTF-8": text.encode()[:-1] + b"\xff}", "zeros": b"\0" * 100, "nested": "[" * 100_000,
                "deep": '{"r":' * 5000, "not an object": "[1]", "null": "null", "a number": "3"}
        for key, values in {
            "lora_alpha": ["x", None, [], {}, True, 1e400, "nan", "inf", -1e400, [4], "4 "],
            "r": ["x", None, [], {}, -1, 0, 2**62, 1.5, "nan", 1e300],
            "alpha_pattern": ["x", [], 3, {"(": 3}, {"a": "x"}, {"a": None}, {"a": []}, {"(a+)+$": 2}, {"a" * 70_000: 1},
                              {"(" * 3000: 1}, {r"(?<!x)a": 8}],
            "rank_pattern": ["x", [], {"(": 3}, {"a": -1}, {"a": 2**62}, {"a": "x"}],
            "use_rslora": ["x", None, 3, []], "use_dora": ["x", []],
            "peft_type": ["\x1b[2J", None, 3, "PROMPT_TUNING", ""],
            "target_modules": [3, {}, ["(" * 2000], "(((", None],
            "bias": ["\x1b", 3], "layers_to_transform": [[2**62], "x"], "modules_to_save": ["x", 3, [None]],
        }.items():
            for value in values:
                bad[f"{key} {str(value)[:20]!r}"] = json.dumps({**good, key: value})
        model = {"base_model.model.a.lora_A.weight": [2, 6], "base_model.model.a.lora_B.weight": [8, 2]}
        target = self.attack.place / "adapter_model.safetensors"
        sweep.write_safetensors(target, model)
        weights = target.read_bytes()
        for name, content in bad.items():
            files = {"peft/adapter_config.json": content, "peft/adapter_model.safetensors": weights}
            yield self.altered(f"adapter_config.json: {name}", "lyco-convert",
                               ["peft", "--base", "base.safetensors", "--to", "kohya", "-o", "o.safetensors"], files)

    def toml(self):
        bombs = ["[" * 10_000, "a = " + "[" * 100_000, "a" + ".a" * 30_000 + " = 1", "[a" + ".a" * 30_000 + "]",
                 "a = " + "{a=" * 20_000, "[.*attn.*]", "[ä]", "[", "[[", "[[]]", "[]", "[.]", "[a.]", "[.a]", "[a..b]",
                 "a=1\na=2", "[a]\n[a]", "a = 'x", 'a = "x', "a = '''", 'a = """\\', "a = 1_", "a = 0x", "a = 1e", "=1",
                 "a", "a =", "a = nan", "a = inf", "a = 9223372036854775808", "a = 1979-13-40", "a = '\x1b[2J'", "\x00",
                 "\ufeffa = 1", "a = 1\r", "a = \"\\u{110000}\"", "a = \"\\ud800\"", "a = \"\\U00110000\"",
                 "['" + "x" * 100_000 + "']", "a = [" + "1," * 300_000 + "]", "[[a]]\n" * 50_000, "a={}\n[a.b]",
                 "a=[{}]\n[a.b]", "[[a]]\n[a]", "[a]\n[[a]]", "a.b=1\na=2", "\n" * 2_000_000, "#" + "x" * 5_000_000,
                 "a = {b=1, b=2}", "[a]\nb.c=1\n[a.b]", "é = 1", "a = 0b12", "a = +-1", "a = 1.", "a = .1", "a = 1__0"]
        headers = ["[%s]\nalgo = 'lora'" % h for h in
                   (".*attn.*", "ä", "", " ", "'", '"', "a b", "a\tb", "#", "]", "[", "a]b", "=", "(a+)+$", "\\w", "*", "?",
                    "\x7f", "\u202e", "a" * 70_000, "a." * 40, "-", "_", "1", "1.2", "+", "@", "!", "{", "}", ",")]
        jobs = [("lyco-extract", ["base.safetensors", "tuned.safetensors", "--preset", "f.toml", "-o", "o.safetensors"]),
                ("lyco-train", ["--pretrained_model_name_or_path", "tiny", "--dataset_config", "f.toml", "--dry_run",
                                "--output_dir", "o"]),
                ("lyco-train", ["--config_file", "f.toml", "--pretrained_model_name_or_path", "tiny", "--dry_run",
                                "--train_data_dir", "images", "--output_dir", "o"])]
        for number, text in enumerate(bombs + headers):
            for tool, arguments in jobs:
                yield self.altered(f"TOML {number} {text[:20]!r}: {tool} {arguments[-4]}", tool, arguments, {"f.toml": text})

    def caches(self):
        """Caches of latents that are cut, damaged, exchanged, and bombs; the run makes them anew or refuses them."""
        scenario = {f: next(s for s in scenarios() if s.name == f"{f} caches" + (" and logs" if f == "npz" else ""))
                    for f in ("npz", "zst")}
        rng = random.Random(self.arguments.seed)
        for kind, job in scenario.items():
            folder = self.attack.folder()
            status, _, errors = self.attack.run("lyco-train", job.arguments, folder)
            assert status == 0, errors
            made = sorted(p for p in (folder / "images").iterdir() if p.name.endswith("." + kind))
            good = made[0].read_bytes()
            name = f"images/{made[0].name}"
            odd = {f"cut after {n}": good[:n] for n in sorted(rng.sample(range(len(good)), 20)) + [0]}
            for i in range(20):
                data = bytearray(good)
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
                odd[f"bit {i}"] = bytes(data)
            odd |= {"another image's": made[1].read_bytes(), "text": b"x" * 100, "zeros": bytes(1000)}
            if kind == "npz":
                for title, members in {
                    "no member": {}, "pickle": {"latents.npy": npy("|O", "(1,)", b"\x80\x04cos\nsystem\n(X\x02\0\0\0idtR.")},
                    "huge shape": {"latents.npy": npy("<f4", "(4,1000000,1000000)", b"")},
                    "negative shape": {"latents.npy": npy("<f4", "(-4,4,4)", b"\0" * 64)},
                    "overflow": {"latents.npy": npy("<f4", "(4611686018427387904,4)", b"")},
                    "no shape": {"latents.npy": npy("<f4", "()", b"\0" * 4)}, "bomb": {"latents.npy": bytes(60_000_000)},
                    "names": {"\x1b[2J.npy": npy("<f4", "(1,)", b"\0" * 4), "../../x.npy": npy("<f4", "(1,)", b"\0" * 4)},
                    "nan": {"latents.npy": npy("<f4", "(4,4,4)", b"\xff" * 256)},
                    "nested header": {"latents.npy": npy("<f4", "(" * 5000, b"")},
                }.items():
                    path = self.attack.place / "odd.npz"
                    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                        for member, content in members.items():
                            archive.writestr(member, content)
                    odd[title] = path.read_bytes()
            for title, content in odd.items():
                yield self.altered(f"{kind} cache: {title}", "lyco-train", job.arguments, {name: content})
            shutil.rmtree(folder)

    def states(self):
        """States that are not as they were written: refused in a line, or the run is what it would have been."""
        base = next(s for s in scenarios() if s.name == "training over another").arguments
        arguments = [*base, "--max_train_steps", "2", "--save_every_n_steps", "1", "--optimizer_type", "Prodigy",
                     "--learning_rate", "1"]
        whole = self.attack.folder()
        status, _, errors = self.attack.run("lyco-train", arguments, whole)
        assert status == 0, errors
        state, result = whole / "o/t-step00000001-state", (whole / "o/t.safetensors").read_bytes()
        files = {p.name: p.read_bytes() for p in state.iterdir()}
        text = json.loads(files["train_state.json"])
        rng = random.Random(self.arguments.seed)
        odd = {}

        def places(value, way=()):
            yield way
            for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
                yield from places(inner, (*way, key))
        for way in list(places(text))[1:]:
            for new in (-1, 0, 3, 2**40, 2**63 - 1, 1e300, "nan", "inf", None, [], {}, "x", True, ...):
                changed = json.loads(files["train_state.json"])
                inner = changed
                for key in way[:-1]:
                    inner = inner[key]
                if new is ...:
                    del inner[way[-1]]
                else:
                    inner[way[-1]] = new
                odd[f"train_state.json {'.'.join(map(str, way))} {new}"] = {"train_state.json": json.dumps(changed)}
        for name in files:
            for i in range(20):
                rule = rng.choice([mutate.bits, mutate.cut, mutate.header if name.endswith("s") else mutate.text,
                                   mutate.values if name.endswith("s") else mutate.text])
                odd[f"{name} {rule.__name__} {i}"] = {name: rule(rng, files[name])}
            odd[f"{name} empty"] = {name: b""}
        names = list(odd)
        if not self.arguments.full:
            names = rng.sample(names, min(len(names), 120))
        for title in names:
            content = {f"state/{n}": c for n, c in {**files, **odd[title]}.items()}

            def after(folder, status, errors):
                if status == 0 and (folder / "o/t.safetensors").read_bytes() != result:
                    return "another adapter"
                return None

            def setup(folder, content=content):
                (folder / "state").mkdir()
                for path, data in content.items():
                    (folder / path).write_bytes(data if isinstance(data, bytes) else data.encode("utf-8", "surrogateescape"))
            yield self.trial(f"state: {title}", "lyco-train", [*arguments, "--resume", "state"], setup, after=after)
        shutil.rmtree(whole)

    def index(self):
        """Indexes of shards and of pipelines that lead elsewhere, in circles, or nowhere."""
        sweep.write_safetensors(self.attack.place / "shard", {"a.weight": [8, 6], "a.bias": [8], "b.weight": [4, 3, 3, 3]})
        shard = (self.attack.place / "shard").read_bytes()

        def index(where, **more):
            return json.dumps({"metadata": {"total_size": 1}, "weight_map": where, **more})
        maps = {
            "itself": {"a.weight": "m.safetensors.index.json"}, "parent": {"a.weight": "../m-1.safetensors"},
            "root": {"a.weight": "/etc/passwd"}, "device": {"a.weight": "/dev/zero"}, "dots": {"a.weight": ".."},
            "here": {"a.weight": "."}, "empty": {"a.weight": ""}, "number": {"a.weight": 3}, "none": {"a.weight": None},
            "list": {"a.weight": ["m-1.safetensors"]}, "zero byte": {"a.weight": "m\0.safetensors"},
            "escape": {"a.weight": "\x1b[2J.safetensors"}, "long": {"a.weight": "x" * 100_000},
            "missing": {"a.weight": "no.safetensors"}, "no tensor": {"z": "m-1.safetensors"}, "nothing": {},
            "many": {f"t{i}": "m-1.safetensors" for i in range(200_000)},
            "many files": {f"t{i}": f"m-{i}.safetensors" for i in range(20_000)},
            "folder": {"a.weight": "images"}, "fifo": {"a.weight": "fifo"}, "wide": {"\u202e" * 1000: "m-1.safetensors"},
        }
        texts = {name: index(where) for name, where in maps.items()}
        texts |= {"cut": index(maps["parent"])[:-4], "list of all": "[1]", "nested": "[" * 200_000, "null": "null",
                  "map is a list": '{"weight_map": [1]}', "map is null": '{"weight_map": null}', "blank": "",
                  "twice": '{"weight_map": {"a.weight": "m-1.safetensors"}, "weight_map": {"b.weight": "../x"}}'}
        for name, text in texts.items():
            for tool, arguments in [
                ("lyco-inspect", ["m.safetensors.index.json"]), ("lyco-inspect", ["m.safetensors.index.json", "--check"]),
                ("lyco-merge", ["m.safetensors.index.json", "a.safetensors", "-o", "o.safetensors"]),
                ("lyco-merge", ["m.safetensors.index.json", "a.safetensors", "-o", "m.safetensors", "--shard_size", "100"]),
            ]:
                yield self.altered(f"index {name}: {tool}", tool, arguments,
                                   {"m.safetensors.index.json": text, "m-1.safetensors": shard, "../m-1.safetensors": shard})
        pipelines = {"cut": "{", "list": "[1]", "nested": "[" * 200_000, "escape": '{"\\u001b[2J": ["x", "y"]}',
                     "parent": '{"unet": ["../..", "x"], "../../x": ["diffusers", "UNet2DConditionModel"]}',
                     "many": json.dumps({f"c{i}": ["a", "b"] for i in range(100_000)}), "null": '{"unet": null}',
                     "zeros": "\0" * 1000}
        for name, text in pipelines.items():
            for path in ("pipeline/model_index.json", "pipeline/unet/config.json"):
                yield self.altered(f"{path} {name}", "lyco-inspect", ["pipeline"], {path: text})
                yield self.altered(f"{path} {name}", "lyco-merge", ["pipeline", "p.safetensors", "-o", "o"], {path: text})
        captions = {"wildcards": "{" * 5000 + "a|b" + "}" * 5000, "bomb": "{a|b}" * 100_000, "counts": "{99999999999$$a|b}",
                    "separator": "{2$$" + "x" * 100_000 + "$$a|b}", "huge": "x" * 30_000_000, "wide": "\u0301" * 200_000,
                    "bytes": b"\xff\xfe\0" * 1000, "zeros": b"\0" * 1000, "lines": "a\n" * 500_000, "comma": "," * 500_000,
                    "brackets": "(" * 100_000, "emoji": "👨‍👩‍👧‍👦" * 20_000, "weights": "(a:1e400)(b:nan)(c:-1e999)"}
        train = next(s for s in scenarios() if s.name == "training over another").arguments
        images = sorted((self.attack.source / "images").glob("*.txt"))
        for name, text in captions.items():
            yield self.altered(f"caption {name}", "lyco-train",
                               [*train, "--enable_wildcard", "--weighted_captions", "--shuffle_caption", "--max_train_steps", "1"],
                               {f"images/{images[0].name}": text})

    def options(self):
        values = sweep.VALUES if self.arguments.full else sweep.QUICK
        for tool, command in sweep.commands(self.attack.source, False).items():
            for option in sweep.options(self.attack.binaries / tool):
                for value in values:
                    yield lambda t=tool, c=command, o=option, v=value: (
                        f"{t} --{o}={v[:30]!r}", sweep.run(self.attack.binaries / t, [*c, f"--{o}={v}"], 20))


def npy(kind, shape, data):
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little", signed=False) + header + data


ROWS = {"kill-random": Rows.kill_random, "kill-call": Rows.kill_call, "kill-named": Rows.kill_named,
        "signals": Rows.signals, "fail-call": Rows.fail_call, "output": Rows.output, "places": Rows.places,
        "limits": Rows.limits, "peft": Rows.peft, "toml": Rows.toml, "caches": Rows.caches, "states": Rows.states,
        "index": Rows.index, "options": Rows.options}


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
    if arguments.keep:
        arguments.keep.mkdir(parents=True, exist_ok=True)
    table, faults = [], 0
    with tempfile.TemporaryDirectory(prefix="lyco-attack-") as place:
        attack = Attack(arguments.bin.resolve(), place, arguments.keep)
        rows = Rows(attack, arguments)
        for name in arguments.only.split(","):
            tried = right = 0
            with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
                for title, fault in pool.map(lambda work: work(), ROWS[name](rows)):
                    tried += 1
                    right += not fault
                    if fault:
                        print(f"  {name}: {title}: {fault}", flush=True)
            faults += tried - right
            table.append((name, tried, right))
            print(f"{name:12} {tried:6} {right:6}", flush=True)
        print(f"\n{'row':12} {'tried':>6} {'right':>6}")
        for row in table:
            print(f"{row[0]:12} {row[1]:6} {row[2]:6}")
        print(f"peak anonymous memory of a refusal: {attack.memory[0] >> 10} MB: {attack.memory[1]}")
        if attack.memory[0] > MEMORY:
            faults += 1
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
