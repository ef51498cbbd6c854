#!/usr/bin/env python3
"""Writes the modules of the Python package that list the options of the tools: `_tables.py`, which it reads at run
time, and `_options.py`, which type checkers and editors read.

Usage: scripts/package/write-options.py TOOLS PACKAGE    folders of the tools and of the Python package
"""

import keyword
import pathlib
import sys

import help

# By what the help calls a value.
TYPES = {
    "int": {"n", "px", "pixels"},
    "float": {
        "a", "c", "decay", "factor", "gamma", "norm", "number", "p", "rate", "ratio", "share", "t", "weight", "x"},
    "Path": {"path", "file", "folder", "base", "other"},
}
# What the functions give or take themselves.
OWN = {"help", "version", "json", "quiet", "verbose", "output"}


def value_type(argument):
    name = argument["valueName"]
    kind = next((kind for kind, names in TYPES.items() if name in names), "Value")
    if not argument["isRepeating"]:
        return kind
    # Several numbers, or one word for all of them.
    kind = "float | str" if kind == "float" else kind
    return "Mapping[str, object] | Sequence[str]" if name == "key=value" else f"{kind} | Sequence[{kind}]"


def main():
    tools, package = map(pathlib.Path, sys.argv[1:])
    options = {
        tool: [item for item in help.command(tools, tool)["arguments"]
               if item["kind"] != "positional" and not OWN.intersection(help.long_names(item))]
        for tool in help.TOOLS}

    def table(choose):
        lines = []
        for tool, items in options.items():
            names = [name for item in items if choose(item) for name in help.long_names(item)]
            lines.append(f"    {tool!r}: frozenset({names!r}),\n")
        return "{\n" + "".join(lines) + "}\n"

    (package / "_tables.py").write_text(
        '"""The options of the tools, by their names without hyphens."""\n\n'
        f"#: All of them.\nNAMES = {table(lambda item: True)}\n"
        f"#: Those without a value.\nFLAGS = {table(lambda item: item['kind'] == 'flag')}\n"
        f"#: Those of several values.\nLISTS = {table(lambda item: item['isRepeating'])}")

    text = (
        '"""The options of the tools as type checkers read them; never imported at run time."""\n\n'
        "from __future__ import annotations\n\n"
        "import os\nfrom collections.abc import Mapping, Sequence\nfrom typing import TypedDict\n\n"
        "Path = str | os.PathLike[str]\nValue = str | int | float | bool | os.PathLike[str]\n")
    for tool, items in options.items():
        text += f"\n\nclass {tool.capitalize()}Options(TypedDict, total=False):\n    \"\"\"Of `lyco-{tool}`.\"\"\"\n"
        for item in items:
            kind = "bool" if item["kind"] == "flag" else value_type(item)
            for name in help.long_names(item):
                text += f"\n    {name}{'_' if keyword.iskeyword(name) else ''}: {kind} | None\n"
            text += f"    \"\"\"{item.get('abstract', '')}\"\"\"\n"
    (package / "_options.py").write_text(text)


if __name__ == "__main__":
    main()
