#!/usr/bin/env python3
"""Gives every option of every tool odd values: none may end a tool by a signal, hang it, or draw another exit
status than the documented ones.

    scripts/fuzz/sweep-options.py BIN [--tool NAME] [--option NAME] [--run] [--quick] [--seconds 20] [--jobs 2]

The options are those that the tools themselves list. With --run, lyco-train takes a step instead of a plan.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
STATUSES = {0, 1, 2, 64}
VALUES = ["0", "-1", "1", "3", "2147483648", "4611686018427387904", "9223372036854775807", "-9223372036854775808",
          "99999999999999999999", "nan", "inf", "-inf", "1e308", "1e-320", "", "é", "a=b", "[", "\x1b[2J",
          "x" * 100_000, "1,2,3", "0.5"]
QUICK = ["4611686018427387904", "nan", "\x1b[2J"]


def write_safetensors(path, tensors):
    """tensors: name -> shape; values are small and differ."""
    header, data = {}, b""
    for name, shape in tensors.items():
        count = 1
        for extent in shape:
            count *= extent
        values = struct.pack(f"<{count}f", *((i * 7 % 13 - 6) / 50 for i in range(count)))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def prepare(folder):
    base = {"a.weight": [8, 6], "a.bias": [8], "b.weight": [4, 3, 3, 3]}
    write_safetensors(folder / "base.safetensors", base)
    tuned = dict(base)
    write_safetensors(folder / "tuned.safetensors", tuned)
    # Another first byte of values, so that there is a difference.
    content = bytearray((folder / "tuned.safetensors").read_bytes())
    start = 8 + struct.unpack("<Q", content[:8])[0]
    for i in range(start, len(content) - 4, 12):
        content[i + 2] ^= 0x3F
    (folder / "tuned.safetensors").write_bytes(content)
    write_safetensors(folder / "adapter.safetensors", {
        "a.lora_up.weight": [8, 2], "a.lora_down.weight": [2, 6], "a.alpha": [],
        "b.lora_up.weight": [4, 2, 1, 1], "b.lora_down.weight": [2, 3, 3, 3], "b.alpha": []})
    images = folder / "images"
    images.mkdir()
    source = sorted((ROOT / "Fixtures/training/tiny/images").rglob("*.*"))[:4]
    for path in source:
        shutil.copy(path, images / path.name)
    for image in images.glob("*.png"):
        if not image.with_suffix(".txt").exists() and not image.with_suffix(".caption").exists():
            image.with_suffix(".txt").write_text("a bag, red")


def commands(folder, runs):
    tiny = str(ROOT / "Fixtures/training/tiny")
    base, tuned, adapter = (str(folder / f"{n}.safetensors") for n in ("base", "tuned", "adapter"))
    train = ["--pretrained_model_name_or_path", tiny, "--train_data_dir", str(folder / "images"),
             "--resolution", "32", "--max_train_steps", "1", "--output_dir", "out"]
    return {
        "lyco-extract": [base, tuned, "-o", "out/o.safetensors"],
        "lyco-merge": [base, adapter, "-o", "out/o.safetensors"],
        "lyco-convert": [adapter, "-o", "out/o.safetensors"],
        "lyco-inspect": [adapter],
        "lyco-train": train + ([] if runs else ["--dry_run"]),
        "lyco-sample": ["--base", tiny, "--prompt", "a bag", "--width", "64", "--height", "64", "--steps", "1",
                        "-o", "out/o.png"] + ([] if runs else ["--dry_run"]),
    }


def options(tool):
    """Long names of all options that take a value."""
    text = subprocess.run([tool, "--experimental-dump-help"], capture_output=True, check=True).stdout
    for argument in json.loads(text)["command"]["arguments"]:
        if argument["kind"] != "option":
            continue
        names = [n["name"] for n in argument["names"] if n["kind"] == "long"]
        if names:
            yield names[0]


def run(tool, arguments, seconds):
    with tempfile.TemporaryDirectory(prefix="lyco-sweep-") as place:
        os.mkdir(os.path.join(place, "out"))
        environment = dict(os.environ, SWIFT_BACKTRACE="enable=no", OPENBLAS_NUM_THREADS="1")
        try:
            done = subprocess.run([str(tool), *arguments], cwd=place, capture_output=True, timeout=seconds,
                                  stdin=subprocess.DEVNULL, env=environment)
        except subprocess.TimeoutExpired:
            return f"no end after {seconds} s"
        errors = done.stderr.decode(errors="replace")
        if done.returncode not in STATUSES:
            last = errors.strip().splitlines()[-1:] or [""]
            return f"status {done.returncode}: {last[0][:200]}"
        lines = [line for line in errors.splitlines() if line.startswith("Error:")]
        if done.returncode in (1, 64) and len(lines) != 1:
            return f"status {done.returncode} with {len(lines)} lines of error: {errors[:200]!r}"
        if "\x1b" in errors or "\x1b" in done.stdout.decode(errors="replace"):
            return "an escape sequence reached the output"
        return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bin", type=pathlib.Path)
    parser.add_argument("--tool")
    parser.add_argument("--option")
    parser.add_argument("--run", action="store_true")
    parser.add_argument("--quick", action="store_true", help="three values of each option")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    binaries = arguments.bin.resolve()
    with tempfile.TemporaryDirectory(prefix="lyco-sweep-") as place:
        folder = pathlib.Path(place)
        prepare(folder)
        cases = []
        for name, command in commands(folder, arguments.run).items():
            if arguments.tool and arguments.tool not in name:
                continue
            tool = binaries / name
            fault = run(tool, command, 60)
            if fault:
                sys.exit(f"{name} fails without any odd value: {fault}")
            for option in options(tool):
                if arguments.option and arguments.option != option:
                    continue
                cases += [(tool, command, option, value) for value in (QUICK if arguments.quick else VALUES)]
        faults = 0
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            found = pool.map(lambda c: run(c[0], [*c[1], f"--{c[2]}={c[3]}"], arguments.seconds), cases)
            for (tool, _, option, value), fault in zip(cases, found):
                if fault:
                    faults += 1
                    print(f"{tool.name} --{option}={value[:40]!r}: {fault}", flush=True)
        print(f"{len(cases)} runs, {faults} faults")
        sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
