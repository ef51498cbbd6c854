"""Runs a tool, hears it, and says what became of it."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import threading
import warnings
from typing import IO, Any, Callable

from ._commands import executable
from ._errors import LycoError, LycoWarning, UsageError, WorkError
from ._progress import Progress

_log = logging.getLogger("lyco")

#: Ends with 2: `lyco-inspect` has found faults or differences, which its result tells.
_FOUND = 2


def run(tool: str, arguments: list[str], listen: Callable[[Progress], object] | None) -> Any:
    """Runs a tool to its end; its result is the JSON that it prints, None if it prints none.

    Whatever is raised meanwhile, as by Ctrl-C or by `listen`, interrupts the tool, which leaves nothing half
    written, before it is raised here.

    Raises:
        UsageError: status 64.
        WorkError: status 1.
        LycoError: any other end.
    """
    name = f"lyco-{tool}"
    environment = os.environ.copy()
    environment.pop("LYCO_PROGRESS_FD", None)
    # By which the tool is interrupted if this process ends without having the time to do it.
    environment["LYCO_PARENT"] = str(os.getpid())
    reading, writing = os.pipe() if listen else (None, None)
    if writing is not None:
        environment["LYCO_PROGRESS_FD"] = str(writing)
    try:
        process = subprocess.Popen(
            [name, *arguments], executable=executable(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=environment, pass_fds=[writing] if writing is not None else [],
            # Ctrl-C of a terminal would reach it beside the signal from here, and the second ends it at once.
            start_new_session=True)
    except BaseException:
        if reading is not None:
            os.close(reading)
        raise
    finally:
        if writing is not None:
            os.close(writing)
    output = _Reader(process.stdout)
    errors = _Reader(process.stderr)
    try:
        if reading is not None and listen is not None:
            with os.fdopen(reading, encoding="utf-8") as lines:
                for line in lines:
                    listen(Progress(**json.loads(line)))
        process.wait()
    except BaseException:
        # Not SIGINT: where this program ignores it, as behind `&` in a shell script, so does the tool.
        process.terminate()
        process.wait()
        output.text(), errors.text()
        raise
    text, messages = output.text(), errors.text().splitlines()
    status = process.returncode
    if status not in (0, _FOUND):
        kind = {64: UsageError, 1: WorkError}.get(status, LycoError)
        raise kind(_failure(name, messages, status), name, status, _report(text))
    for line in messages:
        if line.startswith("warning: "):
            warnings.warn(line.removeprefix("warning: "), LycoWarning, stacklevel=4)
        elif line:
            _log.info("%s", line)
    return _report(text)


def _report(text: str) -> Any:
    return json.loads(text) if text.strip() else None


def _failure(name: str, messages: list[str], status: int) -> str:
    """The line that says why."""
    if status < 0:
        return f"{name}: ended by {signal.Signals(-status).name}"
    told = [line for line in messages if line.startswith("Error: ")] or [line for line in messages if line]
    return told[-1].removeprefix("Error: ") if told else f"{name}: exit status {status}"


class _Reader:
    """Reads a pipe to its end, so that the tool never waits for it."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        assert pipe is not None
        self._pipe = pipe
        self._bytes = b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with self._pipe:
            self._bytes = self._pipe.read()

    def text(self) -> str:
        self._thread.join()
        return self._bytes.decode("utf-8", "surrogateescape")
