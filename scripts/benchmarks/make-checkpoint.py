#!/usr/bin/env python3
"""Writes a pair of checkpoints of real shape, base and fine-tune, for measurements.

usage: make-checkpoint.py [--bf16] [--sparse] LAYOUT BASE [TUNED]

In float16, or bfloat16. LAYOUT lists `key<TAB>shape` (Fixtures/families). Base weights are normal at
the scale of trained layers. The fine-tune adds to every tensor outside the VAE a difference of a twentieth of the
weight's size whose spectrum falls slowly: 64 directions weighted i^-1/2 and white noise of the
same energy. Seeds come from the keys, so the same torch writes the same bytes.

With --sparse the files take little room on the disk: of the base nothing is written but the header, and of the
fine-tune the first 128 rows of every matrix, white noise; all else are holes, which read as zeros. What the tools do
with them is as much work, but for the disk.
"""

import concurrent.futures
import contextlib
import json
import math
import pathlib
import sys
import zlib

import torch

SEED = 20251122
UNCHANGED = ("first_stage_model.", "vae.")
DIRECTIONS = 64
CHANGE = 0.05
WRITTEN_ROWS = 128


def tensors_of(key, shape, dtype, with_tuned=True):
    """The tensor before and, if asked for, after fine-tuning."""
    g = torch.Generator().manual_seed(SEED + zlib.crc32(key.encode()))
    count = math.prod(shape)
    columns = math.prod(shape[1:])
    spread = 0.05 if len(shape) < 2 else columns ** -0.5
    base = torch.randn(shape, generator=g) * spread
    if key.endswith(".weight") and len(shape) == 1:
        base += 1.0
    base = base.to(dtype)
    if not with_tuned:
        return (base,)
    if key.startswith(UNCHANGED) or count == 0:
        return base, base
    size = CHANGE * spread * math.sqrt(0.5)  # of each of the two parts, per element
    change = torch.randn(shape, generator=g) * size
    if len(shape) >= 2:
        rank = min(DIRECTIONS, shape[0], columns)
        weights = torch.arange(1, rank + 1, dtype=torch.float32) ** -0.5
        left = torch.randn(shape[0], rank, generator=g) * (weights * (size / weights.norm()))
        change += (left @ torch.randn(rank, columns, generator=g)).reshape(shape)
    return base, (base.float() + change).to(dtype)


def header(layout, name):
    """The header every writer of the format would write: equal dtypes, so sorted by name."""
    entries, offset = {"__metadata__": {"format": "pt"}}, 0
    for key, shape in layout:
        size = 2 * math.prod(shape)
        entries[key] = {"dtype": name, "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def write_sparse(layout, files, dtype):
    """Rows of the fine-tune in files that have their headers, and holes."""
    for index, file in enumerate(files):
        for key, shape in layout:
            start, count = file.tell(), 2 * math.prod(shape)
            if index > 0 and len(shape) >= 2 and not key.startswith(UNCHANGED):
                columns = math.prod(shape[1:])
                g = torch.Generator().manual_seed(SEED + zlib.crc32(key.encode()))
                rows = torch.randn(min(shape[0], WRITTEN_ROWS), columns, generator=g) * (CHANGE * columns ** -0.5)
                file.write(rows.to(dtype).view(torch.int16).numpy().data)
            file.seek(start + count)
        file.truncate()


def main(layout_path, *paths, dtype, sparse):
    layout = []
    for line in pathlib.Path(layout_path).read_text().splitlines():
        key, shape = line.split("\t")
        layout.append((key, [int(n) for n in shape.split("x")] if shape else []))
    layout.sort()
    torch.set_num_threads(1)  # whole tensors are made side by side instead
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(open(path, "wb")) for path in paths]
        pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(2))
        for file in files:
            file.write(header(layout, "BF16" if dtype is torch.bfloat16 else "F16"))
        if sparse:
            write_sparse(layout, files, dtype)
            return
        for start in range(0, len(layout), 8):  # bounded: eight tensors in memory at a time
            made = pool.map(lambda entry: tensors_of(*entry, dtype, len(files) > 1),
                            layout[start:start + 8])
            for tensors in made:
                for file, tensor in zip(files, tensors):
                    file.write(tensor.view(torch.int16).numpy().data)


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    if len(words) not in (2, 3):
        sys.exit(__doc__.split("\n\n")[1])
    main(*words, dtype=torch.bfloat16 if "--bf16" in sys.argv else torch.float16, sparse="--sparse" in sys.argv)
