"""The tools as commands of an environment."""

from __future__ import annotations

import os
import sys


def executable() -> str:
    """All tools are one executable, which goes by the name that it is run by."""
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "bin", "lyco")


def _command(name: str) -> None:
    sys.stdout.flush()
    os.execv(executable(), [name, *sys.argv[1:]])


def extract() -> None:
    _command("lyco-extract")


def merge() -> None:
    _command("lyco-merge")


def convert() -> None:
    _command("lyco-convert")


def inspect() -> None:
    _command("lyco-inspect")


def train() -> None:
    _command("lyco-train")


def sample() -> None:
    _command("lyco-sample")
