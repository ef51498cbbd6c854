"""One run in a folder of its own, whatever is put there before."""

import os
import subprocess

from .bench import tree
from .judge import hidden

WRITERS = [
    ("lyco-merge", ["base.safetensors", "a.safetensors", "-o"]),
    ("lyco-extract", ["base.safetensors", "tuned.safetensors", "-o"]),
    ("lyco-convert", ["a.safetensors", "--dim", "1", "-o"]),
]


def trial(bench, name, tool, arguments, setup=None, allowed=(0, 1, 64), expected=None, wrapper=None, after=None):
    """One run in a folder of its own, whatever the setup puts there: files, a socket, or other processes, a list."""
    def work():
        folder = bench.folder()
        extra = setup(folder) if setup else None
        others = extra if isinstance(extra, list) else []
        if wrapper:
            words = ["bash", "-c", wrapper + ' "$@"', "-", str(bench.binaries / tool), *arguments]
            process = subprocess.Popen(
                words, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env=dict(os.environ, SWIFT_BACKTRACE="enable=no", OPENBLAS_NUM_THREADS="1"))
        else:
            process = bench.start(tool, arguments, folder)
        before = tree(folder)
        status, output, errors = bench.end(process, folder)
        for other in others:
            other.wait()
        if wrapper:
            # A limit on the size of files would hold for these as well.
            output, errors = process.stdout.read(), process.stderr.read().decode(errors="replace")
        fault = bench.check_refusal(status, errors, allowed)
        if not fault and expected is not None and status not in expected:
            fault = f"expected status {expected}, found {status}: {errors[-300:]!r}"
        if not fault and status:
            changed = [n for n, c in before.items() if tree(folder).get(n) != c]
            debris = hidden(tree(folder))
            fault = f"changed: {changed[:3]}" if changed else f"debris: {debris[:3]}" if debris else None
        if not fault and after:
            fault = after(folder, status, errors)
        del extra
        if fault:
            bench.keep(folder, name)
        if os.path.ismount(folder / "small"):
            subprocess.run(["umount", str(folder / "small")])
        bench.drop(folder)
        return name, fault
    return work


def altered(bench, name, tool, arguments, files, expected=None):
    def setup(folder):
        for path, content in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape"))
    return trial(bench, name, tool, arguments, setup, expected=expected)
