"""Reads pages of Markdown: their blocks of code with the remarks before them, commands, links and anchors."""

import dataclasses
import pathlib
import re
import shlex

FENCE = re.compile(r"^( *)(`{3,})(.*)$")
REMARK = re.compile(r"^ *<!-- (not run|run with|run after|status|file): (.*) -->$")
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|<(?:img|a)\b[^>]*?(?:src|href)=\"([^\"]+)\"")


@dataclasses.dataclass
class Command:
    line: int
    text: str
    output: list = dataclasses.field(default_factory=list)

    @property
    def words(self):
        try:
            return shlex.split(self.text, comments=True)
        except ValueError:
            return self.text.split()


@dataclasses.dataclass
class Block:
    """A fenced block. `remarks` are what comments right before it say of it, by `not run`, `run with` and so on."""
    page: str
    line: int
    language: str
    lines: list
    remarks: dict

    @property
    def commands(self):
        """Of `sh` every line, of `console` those behind `$ ` with what follows as their output."""
        found = []
        going_on = False
        for number, line in enumerate(self.lines, self.line + 1):
            if going_on:
                found[-1].text += "\n" + line
            elif self.language == "console" and line.startswith("$ "):
                found.append(Command(number, line[2:]))
            elif self.language == "console":
                if found:
                    found[-1].output.append(line)
                continue
            elif line.strip() and not line.lstrip().startswith("#"):
                found.append(Command(number, line))
            else:
                continue
            going_on = found[-1].text.endswith("\\")
        return found


@dataclasses.dataclass
class Page:
    """A page by its path from the root."""
    path: str
    text: str
    blocks: list
    prose: list
    """Lines outside of blocks, with their numbers."""

    @classmethod
    def read(cls, root, path):
        text = (root / path).read_text()
        blocks, prose, remarks, fence, margin = [], [], {}, None, 0
        for number, line in enumerate(text.split("\n"), 1):
            match = FENCE.match(line)
            if fence is None and match:
                fence, margin = match[2], len(match[1])
                blocks.append(Block(path, number, match[3].strip(), [], remarks))
                remarks = {}
            elif fence is not None and match and match[2] == fence and not match[3].strip():
                fence = None
            elif fence is not None:
                blocks[-1].lines.append(line[margin:] if not line[:margin].strip() else line)
            elif remark := REMARK.match(line):
                remarks[remark[1]] = remark[2]
            else:
                prose.append((number, line))
                if line.strip():
                    remarks = {}
        return cls(path, text, blocks, prose)

    @property
    def anchors(self):
        """Names of headings, as the pages of repositories link to them."""
        names = set()
        for _, line in self.prose:
            if match := re.match(r"#+ +(.*)", line):
                title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", match[1]).replace("`", "").strip().lower()
                name = re.sub(r"[^\w\- ]", "", title).replace(" ", "-")
                count = 0
                while (unique := f"{name}-{count}" if count else name) in names:
                    count += 1
                names.add(unique)
            names.update(re.findall(r"<a (?:id|name)=\"([^\"]+)\"", line))
        return names

    @property
    def links(self):
        for number, line in self.prose:
            for match in LINK.finditer(SPAN.sub("", line)):
                yield number, next(group for group in match.groups() if group)

    @property
    def spans(self):
        for number, line in self.prose:
            for match in SPAN.finditer(line):
                yield number, match[1]

    def broken_links(self, root, pages):
        """Messages about links to files and headings that are not there."""
        for number, link in self.links:
            if re.match(r"[a-z]+:", link):
                continue
            target, _, anchor = link.partition("#")
            path = (root / self.path).parent / target if target else root / self.path
            if not path.exists():
                yield f"{self.path}:{number}: there is no '{target}'"
            elif anchor and path.suffix == ".md":
                name = str(path.resolve().relative_to(root))
                other = pages.get(name) or Page.read(root, pathlib.PurePath(name).as_posix())
                if anchor not in other.anchors:
                    yield f"{self.path}:{number}: '{name}' has no heading '#{anchor}'"
