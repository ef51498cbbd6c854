"""What goes wrong, by the tools' exit statuses."""

from __future__ import annotations

from typing import Any


class LycoError(Exception):
    """A tool did not do its work. The message is the line that it says of it.

    Attributes:
        tool: its name, such as `lyco-merge`.
        status: its exit status; -n if signal n ended it.
        report: what it printed with `--json` all the same, such as of the other files; None if nothing.
    """

    def __init__(self, message: str, tool: str, status: int, report: Any = None) -> None:
        # All of them, so that a process can pass it to another.
        super().__init__(message, tool, status, report)
        self.tool = tool
        self.status = status
        self.report = report

    def __str__(self) -> str:
        return str(self.args[0])


class UsageError(LycoError):
    """What the arguments alone can mend (64)."""


class WorkError(LycoError):
    """A file, the disk, or numbers (1)."""


class LycoWarning(UserWarning):
    """What a tool warns of."""
