"""The files that commands of the pages name as if they were a user's, as `docs.toml` maps them to bundled ones."""

import json
import math
import pathlib
import random
import re
import shutil
import struct
import subprocess
import threading


def checkpoint(path, names, choose, seed, spread=0.0, metadata=None):
    """A checkpoint in F16 of those keys of a list in Fixtures/families that an expression finds: numbers between 2⁻⁷
    and 2⁻⁵ of any sign that follow from the seed. With a spread every fourth number of each weight of more than one
    dimension is another one, so that two of them differ by what has no low rank."""
    generator, other = random.Random(seed), random.Random(seed + 1)
    chosen = []
    for line in names.read_text().split("\n"):
        key, _, shape = line.partition("\t")
        if re.search(choose, key):
            chosen.append((key, [int(extent) for extent in shape.split("x") if extent]))
    signs = bytes([0x21 if byte & 1 else 0xA1 for byte in range(256)])
    header, data = {"__metadata__": metadata} if metadata else {}, []
    offset = 0
    for key, shape in chosen:
        count = math.prod(shape)
        numbers = bytearray(2 * count)
        numbers[0::2] = generator.randbytes(count)
        numbers[1::2] = generator.randbytes(count).translate(signs)
        if spread and len(shape) > 1:
            numbers[0::8] = other.randbytes((count + 3) // 4)
        header[key] = {"dtype": "F16", "shape": shape, "data_offsets": [offset, offset + len(numbers)]}
        data.append(numbers)
        offset += len(numbers)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(data))


class Files:
    """Makes each file once, in a folder for all pages, and lays copies of it into the folders of pages."""

    def __init__(self, root, table, folder, environment):
        self.root, self.table, self.folder, self.environment = root, table, folder, environment
        self.lock = threading.Lock()
        folder.mkdir()
        (folder / "Fixtures").symlink_to(root / "Fixtures")
        self.unused = set(table["files"])

    def make(self, name):
        """The path of a file that stands for `name`."""
        rule = self.table["files"][name]
        self.unused.discard(name)
        path = self.folder / name
        if path.exists():
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        if "copy" in rule:
            source = self.root / rule["copy"]
            (shutil.copytree if source.is_dir() else shutil.copyfile)(source, path)
        elif "names" in rule:
            checkpoint(path, self.root / rule["names"], rule["choose"], rule["seed"], rule.get("spread", 0))
        elif "text" in rule:
            path.write_text(rule["text"])
        else:
            for other in rule.get("needs", []):
                self.make(other)
            result = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", rule["make"]], cwd=self.folder, env=self.environment, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            if result.returncode != 0:
                raise RuntimeError(f"docs.toml: '{name}': status {result.returncode}: {result.stdout}")
        return path

    def lay(self, page, into):
        """What the commands of a page name, as copies: a command may write to any of them."""
        into.mkdir(parents=True)
        (into / "Fixtures").symlink_to(self.root / "Fixtures")
        (into / "scripts").symlink_to(self.root / "scripts")
        text = "\n".join(line for block in page.blocks for line in block.lines)
        rules = self.table.get("pages", {}).get(page.path, {})
        names = [name for name in self.table["files"]
                 if re.search(rf"(?<![\w./-]){re.escape(name)}(?![\w-])", text)]
        for name in list(names):
            names += [other for other in self.table["files"][name].get("with", []) if other not in names]
        for name in names:
            with self.lock:
                source = self.make(rules.get("as", {}).get(name, name))
            path = into / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, path, symlinks=True)
            else:
                shutil.copyfile(source, path)


def states(folder):
    """Sizes and times of all files below a folder, to find what has been written there."""
    found = {}
    for path in pathlib.Path(folder).rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            status = path.stat()
            found[path] = (status.st_size, status.st_mtime_ns)
    return found
