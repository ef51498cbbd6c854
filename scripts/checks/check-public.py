#!/usr/bin/env python3
"""Holds what is public to the rules of CONTRIBUTING.md: where it may stand, that it is documented, and that
the code in its documentation is code which CI runs (Examples/Sources)."""

import pathlib
import re
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parents[2]
# The modules of library products.
MODULES = ["Tensors", "Safetensors", "TorchFiles", "Adapters", "Checkpoints"]
# What is public outside of them, and why.
OTHERS = {
    "Sources/Machine/FileKind.swift": "errors of Safetensors carry it",
    "Sources/header-fuzz/HeaderFuzz.swift": "libFuzzer calls it",
    "Sources/torch-fuzz/TorchFuzz.swift": "libFuzzer calls it",
}

ATTRIBUTE = r"(?:@\w+(?:\([^)]*\))?\s+)*"
KEYWORDS = (
    r"(?:actor|class|consuming|convenience|enum|extension|final|func|indirect|init|let|mutating|nonisolated"
    r"|package\(set\)|private\(set\)|protocol|required|static|struct|subscript|typealias|var)"
)
PUBLIC = re.compile(rf"^\s*{ATTRIBUTE}public {KEYWORDS}(?!\w)")
ENUM = re.compile(rf"^(\s*){ATTRIBUTE}public (?:indirect )?enum ")


def is_documented(lines, index):
    """Whether a doc comment stands above a declaration and its attributes."""
    index -= 1
    while index >= 0 and re.match(r"\s*@\w+(\(.*\))?$", lines[index]):
        index -= 1
    return index >= 0 and lines[index].lstrip().startswith("///")


def cases(lines, start, indentation):
    """Lines that declare cases of the enum that begins at a line."""
    for index in range(start + 1, len(lines)):
        if lines[index].rstrip() == indentation + "}":
            return
        if lines[index].startswith(indentation + "  case "):
            yield index


def blocks(text, prefix):
    """Code that is marked as Swift, without what stands before its lines."""
    block = None
    for line in text.splitlines():
        line = line.strip() if prefix else line
        if prefix and not line.startswith(prefix):
            block = None
            continue
        line = line[len(prefix):]
        line = line[1:] if prefix and line.startswith(" ") else line
        if block is None:
            if line.strip() == "```swift":
                block = []
        elif line.strip() == "```":
            yield textwrap.dedent("\n".join(block))
            block = None
        else:
            block.append(line)


def squeezed(text):
    """Lines without their indentation."""
    return "\n" + "\n".join(line.strip() for line in text.strip().splitlines()) + "\n"


def main():
    complaints = []
    examples = [squeezed(path.read_text()) for path in sorted((ROOT / "Examples/Sources").rglob("*.swift"))]
    documented = [(ROOT / "README.md", "")]
    count = 0
    for path in sorted((ROOT / "Sources").rglob("*.swift")):
        name = str(path.relative_to(ROOT))
        lines = path.read_text().splitlines()
        is_product = path.relative_to(ROOT / "Sources").parts[0] in MODULES
        if is_product:
            documented.append((path, "///"))
        for index, line in enumerate(lines):
            if not PUBLIC.match(line):
                continue
            count += 1
            if "public extension" in line:
                complaints.append(f"{name}:{index + 1}: each member is to say that it is public: {line.strip()}")
            if not is_product and name not in OTHERS:
                complaints.append(f"{name}:{index + 1}: public outside of the library products: {line.strip()}")
            declarations = [index]
            if found := ENUM.match(line):
                declarations += cases(lines, index, found[1])
            for declaration in declarations:
                if not is_documented(lines, declaration):
                    complaints.append(
                        f"{name}:{declaration + 1}: public without a doc comment: {lines[declaration].strip()}")
    for module in MODULES:
        catalog = ROOT / "Sources" / module / f"{module}.docc" / f"{module}.md"
        if catalog.exists():
            documented.append((catalog, ""))
        else:
            complaints.append(f"{catalog.relative_to(ROOT)}: expected the overview of the module, found no file")
    snippets = 0
    for path, prefix in documented:
        for block in blocks(path.read_text(), prefix):
            snippets += 1
            if not any(squeezed(block) in example for example in examples):
                first = block.splitlines()[0] if block else ""
                complaints.append(
                    f"{path.relative_to(ROOT)}: code that no file in Examples/Sources has, from '{first}' on")
    # A rule that finds nothing to hold to it is broken.
    if count < 50 or snippets < 10:
        complaints.append(f"found only {count} public declarations and {snippets} blocks of code")
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
