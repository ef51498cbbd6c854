#!/usr/bin/env python3
"""Writes the man page of every tool from what the tool says of itself.

Usage: scripts/package/write-manuals.py TOOLS OUT [--date DATE]    folders of the tools and of the pages
"""

import argparse
import pathlib
import re
import subprocess

import help

#: Headings that stand in the text of the help itself.
HEADING = re.compile(r"^[A-Z][A-Z ]+$")


def escaped(text):
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("~", "\\(ti").replace("^", "\\(ha").replace("`", "\\(ga")
    text = text.replace("'", "\\(aq").replace('"', "\\(dq")
    return "\n".join("\\&" + line if line[:1] in ".'" else line for line in text.split("\n"))


def spelled(name):
    return ("--" if name["kind"] == "long" else "-") + name["name"]


def sections(discussion):
    """The text of the help in its parts: a heading (empty for the first), and the lines below it."""
    parts = [("", [])]
    for line in discussion.split("\n"):
        if HEADING.match(line):
            parts.append((line, []))
        else:
            parts[-1][1].append(line)
    return parts


def paragraphs(lines):
    """Lines that are no examples: filled, a blank line between paragraphs."""
    texts = re.split(r"\n\s*\n", "\n".join(lines).strip())
    return "\n.PP\n".join(escaped(" ".join(text.split())) for text in texts)


def verbatim(lines):
    return "\n".join([".nf", escaped("\n".join(lines).strip("\n")), ".fi"])


def term(argument):
    if argument["kind"] == "positional":
        return f"\\fI{escaped(argument['valueName'])}\\fR"
    names = ", ".join(f"\\fB{escaped(spelled(name))}\\fR" for name in argument["names"])
    return names if argument["kind"] == "flag" else f"{names} \\fI{escaped(argument['valueName'])}\\fR"


def described(argument):
    text = argument.get("abstract", "").strip()
    # The help of options has their values and defaults behind the text.
    notes = []
    if argument.get("allValues"):
        notes.append("values: " + ", ".join(argument["allValues"]))
    if argument.get("defaultValue") and argument["kind"] != "flag":
        notes.append("default: " + argument["defaultValue"])
    return text + (f" ({'; '.join(notes)})" if notes else "")


def synopsis(tool, arguments):
    words = [f"\\fBlyco\\-{tool}\\fR", "[\\fIoptions\\fR]"]
    for argument in arguments:
        if argument["kind"] == "positional":
            word = term(argument) + (" ..." if argument["isRepeating"] else "")
            words.append(f"[{word}]" if argument["isOptional"] else word)
    return " ".join(words)


def page(folder, tool, date, release):
    command = help.command(folder, tool)
    arguments = command["arguments"]
    title = f"LYCO\\-{tool.upper()}"
    summary = command["abstract"].split("\n")[0].rstrip(".")
    lines = [
        f'.TH "{title}" "1" "{date}" "{release}" "User Commands"', ".SH NAME",
        f"lyco\\-{tool} \\- {escaped(summary[:1].lower() + summary[1:])}",
        ".SH SYNOPSIS", synopsis(tool, arguments), ".SH DESCRIPTION"]
    parts = dict(sections(command.get("discussion", "")))
    lines.append(paragraphs(parts.pop("").copy() or [command["abstract"]]) or escaped(command["abstract"]))
    titles = list(dict.fromkeys(argument.get("sectionTitle") or "" for argument in arguments))
    lines.append(".SH OPTIONS")
    for heading in titles:
        if heading:
            lines.append(f".SS {escaped(heading)}")
        for argument in arguments:
            if (argument.get("sectionTitle") or "") == heading:
                lines += [".TP", term(argument), escaped(described(argument))]
    for heading, text in sorted(parts.items(), key=lambda part: part[0] == "EXAMPLES"):
        lines += [f".SH {heading}", verbatim(text) if heading == "EXAMPLES" else paragraphs(text)]
    others = [other for other in help.TOOLS if other != tool]
    lines.append(".SH SEE ALSO")
    lines += [f".BR lyco\\-{other} (1){',' if other != others[-1] else ''}" for other in others]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tools", type=pathlib.Path)
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--date", default="")
    options = parser.parse_args()
    version = subprocess.run(
        [options.tools / "lyco-extract", "--version"], check=True, text=True, stdout=subprocess.PIPE).stdout
    release = version.split(" (")[0].strip()
    options.output.mkdir(parents=True, exist_ok=True)
    for tool in help.TOOLS:
        (options.output / f"lyco-{tool}.1").write_text(page(options.tools, tool, options.date, release))


if __name__ == "__main__":
    main()
