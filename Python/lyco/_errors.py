"""What goes wrong, by the tools' exit statuses."""


class LycoError(Exception):
    """A tool did not do its work. The message is the line that it says of it.

    Attributes:
        tool: its name, such as `lyco-merge`.
        status: its exit status; -n if signal n ended it.
    """

    def __init__(self, message: str, tool: str, status: int) -> None:
        super().__init__(message)
        self.tool = tool
        self.status = status


class UsageError(LycoError):
    """What the arguments alone can mend (64)."""


class WorkError(LycoError):
    """A file, the disk, or numbers (1)."""


class LycoWarning(UserWarning):
    """What a tool warns of."""
