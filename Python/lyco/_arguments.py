"""Keyword arguments as a command line."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from ._commands import executable
from ._tables import FLAGS, LISTS, NAMES


def command_line(
    tool: str, inputs: Iterable[Any], output: Any, options: Mapping[str, Any],
) -> list[str]:
    """What follows the name of a tool.

    Raises:
        TypeError: a keyword that is no option of the tool, or a value that its option cannot have.
    """
    words = ["--json"]
    if output is not None:
        words.append(f"--output={_text(output)}")
    for keyword, value in options.items():
        name = keyword.removesuffix("_")
        if name not in NAMES[tool]:
            raise TypeError(f"lyco.{tool}: expected an option of lyco-{tool}, found {keyword!r}{_meant(tool, name)}")
        if value is None:
            continue
        if name in FLAGS[tool]:
            if not isinstance(value, bool):
                raise TypeError(f"lyco.{tool}: {keyword}: expected True or False, found {value!r}")
            words += [f"--{name}"] if value else []
        elif name in LISTS[tool] and tool == "train":
            # As with kohya's scripts, what is given last counts alone.
            words += [f"--{name}", *map(_text, _items(value))]
        elif name in LISTS[tool]:
            words += [f"--{name}={_text(item)}" for item in _items(value)]
        elif isinstance(value, Mapping) or _is_list(value):
            raise TypeError(f"lyco.{tool}: {keyword}: expected one value, found {value!r}")
        else:
            words.append(f"--{name}={_text(value)}")
    # Behind two hyphens, a name that begins with one is a name.
    names = [_text(path) for path in inputs]
    return [*words, "--", *names] if names else words


def _is_list(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes, os.PathLike))


def _items(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return [f"{key}={_text(item)}" for key, item in value.items()]
    return value if _is_list(value) else [value]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    # Names of files that are no UTF-8 keep their bytes.
    return os.fsdecode(value) if isinstance(value, (bytes, os.PathLike)) else str(value)


def _meant(tool: str, name: str) -> str:
    """What the tool answers to a name that it does not know: it knows the words of other programs as well."""
    import re
    import subprocess

    answer = subprocess.run(
        [f"lyco-{tool}", f"--{name}"], executable=executable(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE).stderr.decode(errors="replace")
    if found := re.search(r"did you mean '--(\w+)'", answer):
        return f"; {found[1]!r} is one"
    if found := re.search(r"' (has no effect.*)", answer):
        return f", which {found[1]}"
    return ""
