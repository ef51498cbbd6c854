#!/usr/bin/env python3
"""Builds the package in Examples, which uses lyco's libraries as any other would, runs its programs on fixtures
and compares what they say with numbers that torch gives in float64.

Usage: scripts/checks/check-examples.py [ARGUMENT...]   arguments of swift build, such as those of a build whose
folder it may share: --scratch-path .build -Xswiftc -warnings-as-errors
"""

import json
import math
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "Fixtures"
FASHION = FIXTURES / "real/fashion-ddpm"
SMALL = FIXTURES / "lora/sd1-small"

# ‖W' − W‖ over all weights, by torch in float64: from the factors of the real adapter, at ratio 0.7; of the
# others from the merged weights that the programs and LyCORIS gave, at 1.
CHANGES = [
    (FASHION / "base.safetensors", FASHION / "trained-lora-r4.safetensors", 0.7, 83, 9.007291246),
    (SMALL / "base", SMALL / "kohya.safetensors", 1, 402, 3.991667977),
    (SMALL / "base", SMALL / "diffusers.safetensors", 1, 144, 2.243090073),
    (SMALL / "base", SMALL / "peft.safetensors", 1, 64, 1.006882581),
    (SMALL / "base", SMALL / "dora.safetensors", 1, 115, 26.35961873),
    (SMALL / "base", SMALL / "lokr.safetensors", 1, 115, 41.37431527),
    (SMALL / "base", SMALL / "boft.safetensors", 1, 115, 46.55311856),
]
# The norm of a tensor before and after the example's change, by torch in float64.
CHANGED = ("unet.conv_in.weight", 3.364698214, 4.915083372)
# f32 sums against float64, by the worst of the rotations.
TOLERANCE = 2e-6


def run(*command, cwd=None):
    return subprocess.run(
        [str(word) for word in command], check=True, text=True, stdout=subprocess.PIPE, cwd=cwd).stdout


def expect(what, expected, found):
    same = math.isclose(expected, found, rel_tol=TOLERANCE) if isinstance(expected, float) else expected == found
    if not same:
        sys.exit(f"{what}: expected {expected}, found {found}")


def last_number(text):
    return float(text.split()[-1])


def tensors(path):
    """Format, shape and bytes by name, and metadata, of a safetensors file."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length])
    metadata = header.pop("__metadata__", {})
    values = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        values[name] = (entry["dtype"], entry["shape"], data[8 + length + begin:8 + length + end])
    return values, metadata


def check_list(program):
    for path in [FASHION / "base.safetensors", FASHION / "trained-lora-r4.safetensors"]:
        values, metadata = tensors(path)
        lines = run(program, path).splitlines()
        found = [line.split("\t") for line in lines if not line.startswith("# ")]
        expected = [
            [name, dtype, f"[{', '.join(map(str, shape))}]", str(math.prod(shape))]
            for name, (dtype, shape, _) in values.items()]
        expect(f"tensors of {path.name}", sorted(expected), sorted(found))
        expect(f"metadata of {path.name}", len(metadata), len(lines) - len(found))


def check_change(program, folder):
    name, before, after = CHANGED
    source, target = FASHION / "base.safetensors", folder / "changed.safetensors"
    lines = run(program, source, name, target).splitlines()
    expect("norm before", before, last_number(lines[0]))
    expect("norm after", after, last_number(lines[1]))
    (old, old_metadata), (new, new_metadata) = tensors(source), tensors(target)
    expect("metadata", old_metadata, new_metadata)
    expect("tensors that differ", {name}, {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)})
    count = math.prod(new[name][1])
    numbers = struct.unpack(f"<{count}f", new[name][2])
    expect("norm in the file", after, math.sqrt(math.fsum(x * x for x in numbers)))


def check_apply(program):
    for base, adapter, ratio, modules, change in CHANGES:
        lines = run(program, base, adapter, ratio).splitlines()
        expect(f"modules of {adapter.name}", modules, len(lines) - 1)
        expect(f"change by {adapter.name}", change, last_number(lines[-1]))


def check_snippets(program, folder):
    shutil.copy(SMALL / "base.ldm.safetensors", folder / "model.safetensors")
    run(program, "files", cwd=folder)
    shutil.copy(FASHION / "base.safetensors", folder / "model.safetensors")
    shutil.copy(FASHION / "trained-lora-r4.safetensors", folder / "adapter.safetensors")
    lines = run(program, "adapters", cwd=folder).splitlines()
    # Two of an adapter in memory; the modules of the file, then their changes.
    expect("lines of the adapters' snippets", 2 + 83 + 83, len(lines))


def main():
    build = ["swift", "build", "--package-path", ROOT / "Examples", *sys.argv[1:]]
    subprocess.run([str(word) for word in build], check=True)
    programs = pathlib.Path(run(*build, "--show-bin-path").strip())
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        check_list(programs / "list-tensors")
        check_change(programs / "change-tensor", folder)
        check_apply(programs / "apply-adapter")
        check_snippets(programs / "snippets", folder)


if __name__ == "__main__":
    main()
