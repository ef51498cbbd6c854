"""Folders, runs, and what every end must be like."""

import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
FIXTURES = ROOT / "Fixtures"

LIMIT = 30
"""Seconds of the processor that a run may take."""

MEMORY = 300_000
"""Kilobytes of anonymous memory that a refusal may take."""


def load(name):
    """The module of a script, whose name is none of Python's."""
    spec = importlib.util.spec_from_file_location(name.replace("-", "_"), ROOT / f"scripts/fuzz/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


sweep = load("sweep-options")
mutate = load("mutate-tools")


class Bench:
    """Runs tools in folders of their own, and remembers what the dearest refusal took.

    settings: seed, times, full, keep and scenario of the command line
    """

    def __init__(self, binaries, place, settings, prepare):
        self.binaries, self.place, self.settings = binaries, pathlib.Path(place), settings
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
        if status in (1, 2, 64) and peak > self.memory[0]:
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

    def keep(self, folder, name):
        """A copy of what a fault left, if it is to be kept."""
        if not self.settings.keep:
            return
        kept = self.settings.keep / re.sub(r"\W+", "-", name)[:80]
        remove(kept)
        shutil.copytree(folder, kept, symlinks=True,
                        ignore=lambda p, names: [n for n in names if n in ("fifo", "sock", "null")])

    def drop(self, folder):
        """Removes the folder of a run, and what was printed."""
        remove(folder)
        for ending in ("out", "err"):
            (folder.parent / f"{folder.name}.{ending}").unlink(missing_ok=True)


def timeless(content):
    """The time of a training stands in its adapter."""
    return re.sub(rb'"modelspec.date":"[^"]*"', b'"modelspec.date":""', content)


def tree(folder):
    found = {}
    for place, folders, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            if not os.path.islink(path) and os.path.isfile(path):
                with open(path, "rb") as file:
                    found[os.path.relpath(path, folder)] = timeless(file.read())
    return found


def remove(folder):
    """However deep it is, and whatever may not be written in it."""
    subprocess.run(["chmod", "-R", "u+rwx", str(folder)], stderr=subprocess.DEVNULL)
    subprocess.run(["rm", "-rf", str(folder)], check=True)
