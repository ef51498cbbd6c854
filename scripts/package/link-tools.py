#!/usr/bin/env python3
"""Links what a release build compiled once more, with Swift's runtime inside and all tools in one executable (main.c).
Nothing is compiled again, so that it takes seconds. Beside it comes libraries.so, which is empty and needs what the
tools load when they compute: by it those find these libraries who pack the tools.

Usage: scripts/package/link-tools.py SCRATCH OUT [--commit TEXT]    SCRATCH: the folder of the build, such as .build
"""

import argparse
import json
import pathlib
import re
import subprocess

HERE = pathlib.Path(__file__).resolve().parent

# What static libraries of Swift's runtime need beside themselves: objects of a build that links it dynamically name
# the libraries that they import, and these are parts of one of them.
PARTS = {"FoundationEssentials": ["_FoundationCShims", "_FoundationCollections"]}

# What no tool is linked with, but loads when it computes: Sources/CBLAS, Sources/COneDNN.
LOADED = ["openblas", "lapacke", "dnnl"]


def link_commands(scratch):
    """The arguments by which the build links each tool, by its name without `lyco-`."""
    commands = {}
    tool = None
    for line in (scratch / "release.yaml").read_text().splitlines():
        if found := re.match(r'  "C\.(?:lyco-(\w+)-\S*-release\.exe)?', line):
            tool = found[1]
        elif tool and (found := re.match(r"    args: (\[.*\])$", line)):
            commands[tool] = json.loads(found[1])
    if not commands:
        raise SystemExit(f"{scratch}: expected a release build of the tools, found none; run 'swift build -c release'")
    return dict(sorted(commands.items()))


def objects(arguments):
    lists = [argument[1:] for argument in arguments if argument.endswith(".LinkFileList")]
    return [word.strip("'") for path in lists for word in pathlib.Path(path).read_text().split("\n") if word]


def with_own_main(path, tool, folder):
    """An object of a tool, with names of its own where the compiler gives the same to all: it calls every `main` that
    is asynchronous `async_Main`, and of what it makes of them the linker would take one for all tools."""
    if f"/lyco_{tool}.build/" not in path or b"async_Main" not in pathlib.Path(path).read_bytes():
        return path
    listed = subprocess.run(["nm", "-g", path], check=True, text=True, stdout=subprocess.PIPE).stdout
    names = [line.split()[-1] for line in listed.splitlines() if "async_Main" in line]
    copy = folder / f"{tool}-{pathlib.Path(path).name}"
    subprocess.run(
        ["objcopy", *(f"--redefine-sym={name}={name}_{tool}" for name in names), path, copy], check=True)
    return str(copy)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("scratch", type=pathlib.Path)
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--commit", default="")
    options = parser.parse_args()
    commands = link_commands(options.scratch.resolve())
    folder = options.output.resolve().parent
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tools.h").write_text("".join(f"TOOL({tool})\n" for tool in commands))
    swiftc = next(iter(commands.values()))[0]
    clang = str(pathlib.Path(swiftc).with_name("clang"))
    subprocess.run(
        [clang, "-O2", "-Wall", "-Werror", f"-I{folder}", f'-DLYCO_COMMIT="{options.commit}"', "-c",
         HERE / "main.c", "-o", folder / "main.o"], check=True)
    inputs = {
        with_own_main(path, tool, folder): None for tool, arguments in commands.items() for path in objects(arguments)}
    libraries = {
        word: None for arguments in commands.values() for word in arguments if re.match(r"-[lL].", word)}
    runtime = [name for name, parts in PARTS.items() for name in [name, *parts]]
    (folder / "objects.txt").write_text("".join(f"'{path}'\n" for path in inputs))
    subprocess.run(
        [swiftc, "-static-stdlib", "-use-ld=lld", "-o", options.output, folder / "main.o", f"@{folder / 'objects.txt'}",
         *libraries, *(f"-l{name}" for name in runtime),
         # Only what is used, nothing that is written later, no symbols of functions.
         *(word for flag in ["--gc-sections", "--as-needed", "-z", "relro", "-z", "now", "-s"]
           for word in ["-Xlinker", flag])],
        check=True)
    subprocess.run(
        [clang, "-shared", "-nostdlib", "-Wl,--no-as-needed", *(f"-l{name}" for name in LOADED),
         "-o", folder / "libraries.so"],
        check=True)


if __name__ == "__main__":
    main()
