"""Kills, signals and failing calls while a scenario runs, and standard output that takes nothing."""

import errno
import functools
import os
import pathlib
import random
import signal
import subprocess
import tempfile
import time

from .bench import tree
from .judge import Judge
from .scenarios import scenarios


@functools.cache
def judges(bench):
    return [Judge(bench, s) for s in scenarios() if not bench.settings.scenario or bench.settings.scenario in s.name]


def faulty(bench, judge, name, allowed, environment=(), during=None):
    folder = judge.fresh()
    process = bench.start(judge.scenario.tool, [*judge.scenario.arguments, "--threads", "1"], folder, environment)
    if during:
        during(process)
    status, _, errors = bench.end(process, folder)
    fault = judge.check(folder, status, errors, allowed)
    if fault:
        bench.keep(folder, name)
    bench.drop(folder)
    return name, fault


def kill_random(bench):
    rng = random.Random(bench.settings.seed)
    for judge in judges(bench):
        for i in range(bench.settings.times):
            moment = rng.uniform(0, judge.seconds * 1.1)

            def during(process, moment=moment):
                time.sleep(moment)
                os.kill(process.pid, signal.SIGKILL)
            yield lambda j=judge, d=during, m=moment: faulty(
                bench, j, f"{j.scenario.name}, killed after {m:.3f} s", (0, -9), (), d)


def calls(bench, judge, environment):
    log = pathlib.Path(tempfile.mkstemp(dir=bench.place)[1])
    folder = judge.fresh()
    bench.run(judge.scenario.tool, [*judge.scenario.arguments, "--threads", "1"], folder,
              {"LD_PRELOAD": str(bench.shim), "FAULTS_LOG": str(log), **environment})
    bench.drop(folder)
    names = [line.split()[1] for line in log.read_text().splitlines()]
    log.unlink()
    # Of a run of writes, the first and the last.
    picked = [i + 1 for i, n in enumerate(names)
              if n not in ("write", "pwrite") or i == 0 or i + 1 == len(names)
              or names[i - 1] != n or names[i + 1] != n]
    if bench.settings.full or len(picked) <= 24:
        return picked
    rng = random.Random(f"{judge.scenario.name}{bench.settings.seed}")
    return sorted(rng.sample(picked, 24))


def at_calls(bench, faults, environment, allowed):
    for judge in judges(bench):
        for number in calls(bench, judge, environment):
            for fault in faults(number):
                yield lambda j=judge, n=number, f=fault: faulty(
                    bench, j, f"{j.scenario.name}, call {n} {f}", allowed,
                    {"LD_PRELOAD": str(bench.shim), **environment, **f})


def kill_call(bench):
    return at_calls(bench, lambda n: [{"FAULTS_KILL": str(n)}], {}, (0, -9))


def kill_named(bench):
    return at_calls(bench, lambda n: [{"FAULTS_KILL": str(n)}], {"FAULTS_NAMED": "1"}, (0, -9))


def fail_call(bench):
    return at_calls(
        bench, lambda n: [{"FAULTS_FAIL": str(n), "FAULTS_ERRNO": str(e)} for e in (errno.ENOSPC, errno.EIO)], {}, (0, 1))


def signals(bench):
    rng = random.Random(bench.settings.seed + 1)
    for judge in judges(bench):
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            for twice in (False, True):
                for _ in range(3):
                    moment = rng.uniform(0.3, 1.0) * judge.seconds

                    def during(process, moment=moment, number=number, twice=twice):
                        time.sleep(moment)
                        os.kill(process.pid, number)
                        if twice:
                            time.sleep(0.01)
                            os.kill(process.pid, number)
                    # Until it listens, a signal ends a tool as any other program.
                    yield lambda j=judge, d=during, n=number, t=twice, m=moment: faulty(
                        bench, j, f"{j.scenario.name}, {n.name}{' twice' if t else ''} after {m:.3f} s",
                        (0, 130, -n), (), d)


def outputs(bench):
    """Standard output that is full, closed, a pipe without a reader; descriptors that are closed at the start."""
    for judge in judges(bench):
        scenario = judge.scenario
        for kind in ("full", "closed", "pipe", "no input", "none"):
            def work(judge=judge, scenario=scenario, kind=kind):
                folder = judge.fresh()
                name = f"{scenario.name}, standard output: {kind}"
                arguments = [str(bench.binaries / scenario.tool), *scenario.arguments]
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
                bench.drop(folder)
                return name, fault
            yield work
