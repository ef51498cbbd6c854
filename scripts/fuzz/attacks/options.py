"""Every option with odd values."""

import pathlib
import tempfile

from .bench import sweep


def options(bench):
    values = sweep.VALUES if bench.settings.full else sweep.QUICK
    for tool, command in sweep.commands(bench.source, False).items():
        for name in sweep.options(bench.binaries / tool):
            for value in values:
                yield lambda t=tool, c=command, n=name, v=value: (
                    f"{t} --{n}={v[:30]!r}", fault(bench, t, [*c, f"--{n}={v}"]))


def fault(bench, tool, arguments):
    """What is wrong with a run, or None."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="run-", dir=bench.place))
    (folder / "out").mkdir()
    status, output, errors = bench.run(tool, arguments, folder)
    found = bench.check_refusal(status, errors, sweep.STATUSES)
    bench.drop(folder)
    return found or ("an escape sequence in the results" if b"\x1b" in output else None)
