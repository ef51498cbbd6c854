#!/usr/bin/env python3
"""Least errors of Kronecker products w1 ⊗ w2 with sides of low rank, by brute force.

For each case 1000 random restarts of gradient descent (Adam, float64, a step that falls to zero)
on the factors themselves, which knows nothing of singular vectors. Writes
Fixtures/extract/kronecker.safetensors: the changes as `<case>`, and in the metadata per case a JSON
object of what was asked for and the least ‖Δ − w1 ⊗ w2‖ / ‖Δ‖ found. Needs torch and safetensors;
deterministic with OMP_NUM_THREADS=1.
"""
import json
import zlib
from pathlib import Path

import torch
from safetensors.torch import save_file

torch.set_default_dtype(torch.float64)
RESTARTS, STEPS = 1000, 3000

# name: weight, (a, c) of w1, factor that gives them, rank of w2, rank of w1, unbalanced, kind
CASES = {
    "linear-6x8": ((6, 8), (2, 2), 2, 1, None, False, "noise"),
    "linear-12x10-r1": ((12, 10), (2, 2), 2, 1, None, False, "noise"),
    "linear-12x10-r2": ((12, 10), (2, 2), 2, 2, None, False, "noise"),
    "linear-12x10-rivals": ((12, 10), (2, 2), 2, 1, None, False, "rivals"),
    "linear-12x10-unbalanced": ((12, 10), (6, 2), 2, 1, None, True, "noise"),
    "linear-21x18": ((21, 18), (3, 3), 3, 2, None, False, "rivals"),
    "conv2d-8x6": ((8, 6, 3, 3), (2, 2), 2, 1, None, False, "noise"),
    "conv2d-12x16-r3": ((12, 16, 3, 3), (2, 2), 2, 3, None, False, "decay"),
    "conv1d-12x16": ((12, 16, 3), (3, 4), 4, 1, None, False, "noise"),
    "conv3d-12x6": ((12, 6, 2, 3, 3), (2, 2), 2, 2, None, False, "noise"),
    "both-9x16": ((9, 16), (3, 4), 4, 1, 1, False, "noise"),
    "both-9x16-rivals": ((9, 16), (3, 4), 4, 1, 1, False, "rivals"),
    "both-20x25": ((20, 25), (4, 5), 5, 2, 2, False, "noise"),
    "both-conv2d-12x16": ((12, 16, 3, 3), (3, 4), 4, 1, 1, False, "rivals"),
    "both-30x36": ((30, 36), (5, 6), 6, 2, 2, False, "decay"),
}


def change(shape, outer, kind, generator):
    """Noise, products that fall off, or equally strong products, one of which must be chosen."""
    a, c = outer
    b, d = shape[0] // a, shape[1] // c
    normal = lambda *extents: torch.randn(extents, generator=generator)
    if kind == "noise":
        return normal(*shape)
    total = 0.1 * normal(*shape)
    for i in range(4):
        w1, w2 = normal(a, c), normal(b, d, *shape[2:])
        w1 = w1.reshape(a, c, *[1] * len(shape[2:]))
        total = total + (1 if kind == "rivals" else 0.6**i) * torch.kron(w1, w2)
    return total


def least_error(delta, outer, rank, outer_rank, generator):
    (a, c), (rows, inputs) = outer, delta.shape[:2]
    b, d = rows // a, inputs // c
    width = delta[0, 0].numel()
    matrix = delta.reshape(a, b, c, d * width).transpose(1, 2).reshape(a * c, b * d * width)
    energy = matrix.square().sum()
    draw = lambda *extents: torch.randn((RESTARTS, *extents), generator=generator)
    first = [draw(a, c)] if outer_rank is None else [draw(a, outer_rank), draw(outer_rank, c)]
    second = [draw(b, rank), draw(rank, d * width)]
    scale = (energy.sqrt() / matrix.numel() ** 0.5) ** (1 / (len(first) + 2))
    parameters = [(x * scale).requires_grad_() for x in first + second]
    optimizer = torch.optim.Adam(parameters, lr=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    best = float("inf")
    for _ in range(STEPS):
        w1 = parameters[0] if outer_rank is None else parameters[0] @ parameters[1]
        w2 = (parameters[-2] @ parameters[-1]).flatten(1)
        w1 = w1.flatten(1)
        common = ((w1 @ matrix) * w2).sum(1)
        errors = energy - 2 * common + w1.square().sum(1) * w2.square().sum(1)
        best = min(best, float(errors.detach().min()))
        optimizer.zero_grad()
        errors.sum().backward()
        optimizer.step()
        schedule.step()
    return (best / float(energy)) ** 0.5


tensors, metadata = {}, {}
for name, (shape, outer, factor, rank, outer_rank, unbalanced, kind) in CASES.items():
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    delta = change(shape, outer, kind, generator).float()
    error = least_error(delta.double(), outer, rank, outer_rank, generator)
    tensors[name] = delta
    metadata[name] = json.dumps(
        {
            "factor": factor,
            "rank": rank,
            "decomposesBoth": outer_rank is not None,
            "isUnbalanced": unbalanced,
            "relativeError": error,
        }
    )
    print(name, error, flush=True)

path = Path(__file__).resolve().parent.parent / "Fixtures" / "extract" / "kronecker.safetensors"
save_file(tensors, path, metadata=metadata)
