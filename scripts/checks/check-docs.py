#!/usr/bin/env python3
"""Runs every command of README, CONTRIBUTING and docs on bundled data, and compares what the pages show of outputs.

Usage: scripts/checks/check-docs.py BIN [PAGE…] [--verbose]

BIN: the folder of the tools, built with the tests. PAGE: as docs/lyco-merge.md, all of them by default.

Blocks of pages have a language:

    sh        commands. They run in bash in a folder of the page, one after the other, as they stand there.
    console   commands behind `$ `, and what they print: it is compared, but for blanks and ends of lines; `…`
              is whatever stands there. A line in it that begins with `Error:` asks for a status other than 0.
    text      what is typed by nobody: synopses, files, lines of other programs
    toml, json, ini, swift, python   what they say; nothing here runs them (Examples and Python/tests do)

The files that commands read are copies of bundled ones, by the table in docs.toml. A remark before a block,
which a reader of the page does not see, says what else holds:

    <!-- not run: WHY -->            the options are checked, and that scripts are there
    <!-- run with: TOOL OPTIONS -->  options behind those of each command of that tool, such as a number of steps
    <!-- run after: COMMANDS -->     what happens before each of its commands, in the same shell
    <!-- status: 2 -->               the exit status of its commands
    <!-- file: NAME -->              the block is the content of that file, which commands below read

Besides, links and their anchors lead somewhere, commands in sentences have options that there are, files of the
project that a page names exist, and nothing is written into Fixtures.
"""

import collections
import concurrent.futures
import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
import tomllib

from docfiles import Files, states
from docpages import Page

ROOT = pathlib.Path(__file__).resolve().parents[2]
LANGUAGES = ["sh", "console", "text", "toml", "json", "ini", "swift", "python"]
TOOLS = ["lyco-extract", "lyco-merge", "lyco-convert", "lyco-inspect", "lyco-train", "lyco-sample"]
WRONG_USAGE = 64
"""The exit status of a tool whose options are not understood."""
TIMEOUT = 120


class Check:
    def __init__(self, binaries, table, folder):
        self.table, self.folder = table, folder
        self.environment = dict(
            os.environ, PATH=f"{binaries}:{os.environ['PATH']}", OPENBLAS_NUM_THREADS="1", LC_ALL="C.UTF-8",
            FAULTS=str(binaries / "libFileFaults.so"))
        self.files = Files(ROOT, table, folder / "files", self.environment)
        self.counts = collections.Counter()
        self.skipped, self.problems, self.seconds = [], [], []

    def run(self, text, folder):
        """Status and printed text, results and messages in one."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        try:
            result = subprocess.run(
                ["bash", "-uo", "pipefail", "-c", text], cwd=folder, env=self.environment, text=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            return None, f"no end after {TIMEOUT} s"
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.seconds.append((after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, text))
        return result.returncode, result.stdout

    def problem(self, page, line, text):
        self.problems.append(f"{page}:{line}: {text}")

    def check_page(self, page):
        folder = self.folder / "pages" / page.path
        self.files.lay(page, folder)
        for block in page.blocks:
            if block.language not in LANGUAGES:
                expected = ", ".join(LANGUAGES)
                self.problem(page.path, block.line, f"a block of '{block.language}', expected one of {expected}")
            elif block.language in ("sh", "console"):
                self.check_block(block, folder)
            else:
                self.check_text(block)
            if name := block.remarks.get("file"):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text("\n".join(block.lines) + "\n")
        for number, line in page.prose:
            if re.match(r"(    |\t)(\$ |scripts/\S|(" + "|".join(TOOLS) + r")\s)", line):
                self.problem(page.path, number, "a command set off by blanks alone: put it into a block of sh")
        for number, span in page.spans:
            self.check_span(page, number, span)

    def check_block(self, block, folder):
        if not block.commands:
            self.problem(block.page, block.line, "a block of commands without one")
        for command in block.commands:
            if "not run" in block.remarks:
                self.skip(block, command)
                continue
            text = command.text
            if more := block.remarks.get("run with"):
                tool, _, options = more.partition(" ")
                if tool in text:
                    text = re.sub(r"(\s+#[^\n]*)?$", " " + options, text, count=1)
            before = block.remarks.get("run after")
            status, output = self.run(f"{before}\n{text}" if before else text, folder)
            self.counts["run"] += 1
            self.judge(block, command, status, output, folder)

    def judge(self, block, command, status, output, folder):
        shown = "\n".join(command.output).strip()
        expected = int(block.remarks.get("status", 0))
        fails = re.search(r"^Error:", shown, re.MULTILINE) is not None and "status" not in block.remarks
        if status == expected == 0 and fails or status != expected and not fails:
            expected = "another than 0" if fails else expected
            self.problem(block.page, command.line,
                         f"status {status}, expected {expected}:\n  $ {command.text}\n{indented(output)}")
            return
        if block.language == "console" and shown:
            self.counts["compared"] += 1
            if not matches(shown, output):
                self.problem(block.page, command.line, f"the page shows\n{indented(shown)}\nwhere\n"
                             f"  $ {command.text}\nprints\n{indented(output)}")
        words = command.words
        for option, name in zip(words, words[1:]):
            written = (folder / name).parent.glob(f"*{pathlib.PurePath(name).stem}*")
            if status == 0 and option == "-o" and words[0] in TOOLS[:3] and not any(written):
                self.problem(block.page, command.line, f"nothing is at '{name}' afterwards")

    def skip(self, block, command):
        """Counts a command that is not run, and checks what can be told without."""
        self.counts["not run"] += 1
        text = " ".join(command.text.split())[:70]
        self.skipped.append(f"{block.page}:{command.line}: {block.remarks['not run']}: {text}")
        words = command.words
        if words[0] in TOOLS:
            self.check_options(block.page, command.line, command.text)
        elif words[0].startswith("scripts/"):
            self.check_script(block.page, command.line, words)

    def check_options(self, page, line, text, may_end_early=False):
        """Options come before files: where no file is, a command with good options ends by that. What stands in a
        sentence may leave out files, other options and the value of the last."""
        with tempfile.TemporaryDirectory(dir=self.folder) as empty:
            status, output = self.run(text, empty)
        self.counts["options checked"] += 1
        if may_end_early and not re.search(r"unknown option|, found ", output):
            return
        if status == WRONG_USAGE or status is None:
            self.problem(page, line, f"status {status} of '{text}':\n{indented(output)}")

    def check_script(self, page, line, words):
        path = ROOT / words[0]
        if not os.access(path, os.X_OK):
            self.problem(page, line, f"there is no program '{words[0]}'")
            return
        source = path.read_text() + "".join(other.read_text() for other in path.parent.glob("*.py"))
        for word in words[1:]:
            if word.startswith("--") and word.partition("=")[0] not in source:
                self.problem(page, line, f"'{words[0]}' has no option '{word}'")

    def check_text(self, block):
        """Synopses have capitals for what is to be filled in; options of other programs are those that they have."""
        for number, line in enumerate(block.lines, block.line + 1):
            words = line.split()
            if words and words[0] in TOOLS and not re.search(r"\b[A-Z]{2,}|\[options\]", line):
                self.problem(block.page, number, "a command in a block of text: call the block sh")
        for number, words in joined(block):
            script = next((word for word in words if word.endswith(".py")), None)
            if script is None:
                continue
            known = self.table["theirs"].get(pathlib.PurePath(script).name)
            if known is None:
                self.problem(block.page, number, f"docs.toml knows no options of '{script}'")
                continue
            self.counts["lines of other programs"] += 1
            for word in words[words.index(script) + 1:]:
                option = word.partition("=")[0]
                if option.startswith("-") and not re.match(r"-[\d.]", option) and option not in known:
                    self.problem(block.page, number, f"'{script}' has no option '{option}'")

    def check_span(self, page, number, span):
        words = span.split() or [""]
        if words[0] in TOOLS and "--" in span and not re.search(r"…|\b[A-Z]{2,}\b", span):
            self.check_options(page.path, number, span, may_end_early=True)
        is_path = re.match(r"(scripts|Fixtures|Sources|Tests|docs|Examples)/[\w./+-]+$", words[0])
        if is_path and page.path != "CONTRIBUTING.md" and not (ROOT / words[0]).exists():
            self.problem(page.path, number, f"there is no '{words[0]}'")


def joined(block):
    """Lines of a block as words, each with those below it that are set in."""
    start, words = None, []
    for number, line in enumerate(block.lines, block.line + 1):
        if words and not line.startswith(" "):
            yield start, words
            words = []
        start = number if not words else start
        words += line.split()
    if words:
        yield start, words


def indented(text):
    return "\n".join("    " + line for line in text.strip().split("\n")[:40])


def matches(shown, output):
    """Whether an output is what a page shows of it."""
    parts = ["".join(part.split()) for part in shown.split("…")]
    return re.fullmatch(".*?".join(map(re.escape, parts)), "".join(output.split())) is not None


def main(arguments):
    verbose = "--verbose" in arguments
    arguments = [word for word in arguments if word != "--verbose"]
    if not arguments:
        sys.exit(__doc__)
    binaries = pathlib.Path(arguments[0]).resolve()
    for tool in TOOLS:
        if not os.access(binaries / tool, os.X_OK):
            sys.exit(f"check-docs.py: '{binaries}' has no {tool}")
    names = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"] + sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))
    pages = {name: Page.read(ROOT, name) for name in names}
    chosen = arguments[1:] or names
    if unknown := set(chosen) - set(names):
        sys.exit(f"check-docs.py: no page {', '.join(sorted(unknown))}")
    table = tomllib.loads((pathlib.Path(__file__).parent / "docs.toml").read_text())
    options = (ROOT / "Fixtures/training/kohya/options.txt").read_text().split("\n")
    table["theirs"]["train_network.py"] = ["--" + line for line in options if line and not line.startswith("#")]
    before = states(ROOT / "Fixtures")
    with tempfile.TemporaryDirectory(prefix="check-docs.") as folder:
        check = Check(binaries, table, pathlib.Path(folder))
        for name in chosen:
            check.problems += pages[name].broken_links(ROOT, pages)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(check.check_page, [pages[name] for name in chosen]))
        if len(chosen) == len(names):
            check.problems += [f"docs.toml: no page names '{name}'" for name in sorted(check.files.unused)]
    after = states(ROOT / "Fixtures")
    check.problems += [f"a command wrote '{path}'" for path in after if before.get(path) != after[path]]
    if verbose:
        for seconds, text in sorted(check.seconds, reverse=True)[:15]:
            print(f"{seconds:6.2f} s  {' '.join(text.split())[:120]}")
    for line in check.skipped:
        print(f"not run  {line}")
    for line in check.problems:
        print(line, file=sys.stderr)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    counts = ", ".join(f"{count} {what}" for what, count in sorted(check.counts.items()))
    seconds = used.ru_utime + used.ru_stime
    print(f"check-docs.py: {len(chosen)} pages; commands: {counts}; {seconds:.0f} s of the processors")
    if check.problems:
        sys.exit(f"check-docs.py: {len(check.problems)} problems")


if __name__ == "__main__":
    main(sys.argv[1:])
