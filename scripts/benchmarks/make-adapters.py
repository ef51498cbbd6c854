#!/usr/bin/env python3
"""Writes an adapter of every algorithm, with random factors, for the modules of a checkpoint.

usage: make-adapters.py PLAN FOLDER

PLAN is what `lyco-extract --dry_run --json` says of two checkpoints: every linear layer and every
convolution in it gets factors, float16, rank 32. FOLDER gets <algorithm>.safetensors, of about the
strength of a trained adapter. Numbers depend on the names alone.
"""

import json
import math
import pathlib
import sys
import zlib

import torch

SEED = 20251122
RANK = 32
FACTOR = 8  # of LoKr


def even_factors(dimension, factor):
    """LyCORIS' factorization(): two factors, the smaller one first."""
    if dimension % factor == 0:
        return sorted((factor, dimension // factor))
    best = max(n for n in range(1, math.isqrt(dimension) + 1)
               if dimension % n == 0 and n <= factor)
    return best, dimension // best


def butterfly(outputs, limit):
    """LyCORIS' power2factorization(): the largest even block that leaves a power of two, or the
    smallest that does where the limit allows none."""
    fits = [b for b in range(2, outputs + 1, 2)
            if outputs % b == 0 and (outputs // b) & (outputs // b - 1) == 0]
    return max([b for b in fits if b <= limit] or [min(fits)])


class Module:
    def __init__(self, name, shape):
        self.shape, (self.out, self.inputs), self.kernel = shape, shape[:2], shape[2:]
        self.size = math.prod(self.kernel)
        self.columns = self.inputs * self.size
        self.ones = [1] * len(self.kernel)
        self.rank = min(RANK, self.out, self.inputs)
        self.generator = torch.Generator().manual_seed(SEED + zlib.crc32(name.encode()))

    def random(self, *shape, scale=1.0):
        return torch.randn(shape, generator=self.generator) * scale

    def low_rank(self):
        return {"lora_up.weight": self.random(self.out, self.rank, *self.ones, scale=0.01),
                "lora_down.weight": self.random(self.rank, *self.shape[1:], scale=0.02)}

    def alpha(self, value=None):
        return {"alpha": torch.tensor(float(self.rank if value is None else value))}

    def lora(self):
        return self.low_rank() | self.alpha()

    def locon(self):
        if self.size == 1:
            return self.lora()
        r = self.rank
        return {"lora_up.weight": self.random(self.out, r, *self.ones, scale=0.01),
                "lora_mid.weight": self.random(r, r, *self.kernel, scale=0.1),
                "lora_down.weight": self.random(r, self.inputs, *self.ones, scale=0.02)} | self.alpha()

    def dora(self):
        return self.lora() | {"dora_scale": 1 + self.random(self.out, 1, *self.ones, scale=0.01)}

    def loha(self):
        r = self.rank
        return {f"hada_w{i}_{side}": self.random(*shape, scale=0.05) for i in (1, 2)
                for side, shape in (("a", (self.out, r)), ("b", (r, self.columns)))} | self.alpha()

    def lokr(self):
        (a, b), (c, d) = even_factors(self.out, FACTOR), even_factors(self.inputs, FACTOR)
        w1 = {"lokr_w1": self.random(a, c, scale=0.05)}
        if 2 * self.rank >= max(b, d):
            return w1 | {"lokr_w2": self.random(b, d, *self.kernel, scale=0.05)} | self.alpha()
        return w1 | {"lokr_w2_a": self.random(b, self.rank, scale=0.05),
                     "lokr_w2_b": self.random(self.rank, d * self.size, scale=0.05)} | self.alpha()

    def ia3(self):
        shape = [1, self.out] + self.ones if self.kernel else [self.out]
        return {"weight": self.random(*shape, scale=0.02), "on_input": torch.tensor(0)}

    def glora(self):
        r = self.rank
        return {"a1.weight": self.random(self.inputs, r, scale=0.01),
                "a2.weight": self.random(r, self.inputs, scale=0.01),
                "b1.weight": self.random(self.out, r, scale=0.01),
                "b2.weight": self.random(r, *self.shape[1:], scale=0.01)} | self.alpha()

    def diag_oft(self):
        b, n = even_factors(self.out, RANK)
        return {"oft_blocks": self.random(n, b, b, scale=0.01)} | self.alpha(0)

    def boft(self):
        b = butterfly(self.out, RANK)
        n = self.out // b
        stages = n.bit_length()
        return {"oft_blocks": self.random(stages, n, b, b, scale=0.01)} | self.alpha(0)

    def full(self):
        return {"diff": self.random(*self.shape, scale=0.002)}


ALGORITHMS = ["lora", "locon", "loha", "lokr", "ia3", "glora", "full", "dora", "diag_oft", "boft"]


def encode(tensor):
    """Name of the stored format and bytes: halves, and what is a scalar as it is."""
    if tensor.ndim:
        return "F16", tensor.half().numpy().tobytes()
    return ("F32" if tensor.is_floating_point() else "I64"), tensor.numpy().tobytes()


def write(path, tensors):
    """A file of the format; `tensors` yields names and tensors."""
    header, parts, offset = {}, [], 0
    for name, tensor in tensors:
        dtype, data = encode(tensor)
        header[name] = {"dtype": dtype, "shape": list(tensor.shape),
                        "data_offsets": [offset, offset + len(data)]}
        parts.append(data)
        offset += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.writelines(parts)


def main(plan, folder):
    modules = [(module["name"], module["shape"])
               for module in json.loads(pathlib.Path(plan).read_text())["modules"]
               if len(module["shape"]) >= 2]
    for algorithm in ALGORITHMS:
        write(pathlib.Path(folder) / f"{algorithm}.safetensors",
              ((f"{name}.{suffix}", tensor.contiguous()) for name, shape in modules
               for suffix, tensor in getattr(Module(name, shape), algorithm)().items()))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__.split("\n\n")[1])
    main(*sys.argv[1:])
