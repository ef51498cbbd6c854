#!/usr/bin/env python3
"""Writes the tables of docs/readers.md anew from Sources/Checkpoints/ReaderTables.

usage: tabulate-readers.py
"""

import pathlib
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLES = ROOT / "Sources/Checkpoints/ReaderTables"
PAGE = ROOT / "docs/readers.md"
ALGORITHMS = ["lora", "loha", "lokr", "glora", "ia3", "diag-oft", "boft", "tlora", "full", "norm", "set"]
READ = {"partly": "in part", "wrong": "wrongly", "not": "not", "refused": "not, nor the rest of the file"}


def programs(readers):
    for reader in readers:
        names = {}
        for family, name in reader.get("writes-for", {}).items():
            names.setdefault(name, []).append(family)
        written = [f"`{reader['writes']}`"] + [f"`{n}` for {', '.join(f)}" for n, f in names.items()]
        yield f"| `{reader['name']}` | {reader['title']} | {'; '.join(written)} | {reader['source'].split(':')[0]} |"


def algorithms(readers):
    yield "| | " + " | ".join(ALGORITHMS) + " |"
    yield "| --- |" + " --- |" * len(ALGORITHMS)
    for reader in readers:
        yield f"| {reader['title']} | " + " | ".join(reader["algorithms"][a] for a in ALGORITHMS) + " |"


def rows(readers):
    found = {}
    for reader in readers:
        for row in reader.get("rows", []):
            error = " to ".join(str(number) for number in row.get("error", []))
            who = reader["title"] + (f" ({error})" if error else "")
            found.setdefault((row["what"], row["verdict"]), []).append(who)
    for (what, verdict), who in found.items():
        yield f"| {what} | {READ[verdict]} | {', '.join(who)} |"


def main():
    readers = [tomllib.loads(file.read_text()) for file in TABLES.glob("*.toml")]
    readers.sort(key=lambda reader: reader["order"])
    tables = {"| `--reader` |": programs, "| | lora |": algorithms, "| | is read |": rows}
    lines, skipping = [], False
    for line in PAGE.read_text().splitlines():
        skipping = skipping and line.startswith("|")
        start = next((start for start in tables if line.startswith(start)), None)
        if start:
            if start != "| | lora |":
                lines += [line, "|" + " --- |" * (line.count("|") - 1)]
            lines += tables[start](readers)
            skipping = True
        elif not skipping:
            lines.append(line)
    PAGE.write_text("\n".join(lines) + "\n")


main()
