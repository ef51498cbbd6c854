#!/usr/bin/env python3
"""Reference results of small linear algebra problems, by NumPy in double precision.

Writes Fixtures/linear-algebra/reference.txt: per line a name, the extents separated by "x", and the
elements row-major. Needs numpy; deterministic.
"""
from pathlib import Path

import numpy as np

generator = np.random.default_rng(20240)
# Entries of few bits, so that they are the same numbers in single precision.
draw = lambda *shape: generator.integers(-64, 65, shape) / 32.0

out = {}
for name, shape in {"wide": (5, 9), "tall": (11, 4), "square": (6, 6)}.items():
    a = draw(*shape)
    out[f"{name}.a"] = a
    out[f"{name}.s"] = np.linalg.svd(a, compute_uv=False)
    u, s, vt = np.linalg.svd(a, full_matrices=False)
    out[f"{name}.rank2"] = (u[:, :2] * s[:2]) @ vt[:2]
    out[f"{name}.product"] = a @ a.T

symmetric = draw(7, 7)
symmetric = symmetric + symmetric.T
out["symmetric.a"] = symmetric
out["symmetric.values"] = np.linalg.eigvalsh(symmetric)[::-1]

a, b = draw(6, 6), draw(6, 3)
out["solve.a"], out["solve.b"] = a, b
out["solve.x"] = np.linalg.solve(a, b)
out["solve.inverse"] = np.linalg.inv(a)

w1, w2 = draw(2, 3), draw(3, 2, 2, 2)
out["kronecker.w1"], out["kronecker.w2"] = w1, w2
out["kronecker.matrix"] = np.kron(w1, w2[:, :, 0, 0])
out["kronecker.convolution"] = np.kron(w1[:, :, None, None], w2)

folder = Path(__file__).resolve().parent.parent / "Fixtures" / "linear-algebra"
folder.mkdir(parents=True, exist_ok=True)
with open(folder / "reference.txt", "w") as file:
    for name, value in out.items():
        extents = "x".join(map(str, value.shape))
        file.write(f"{name} {extents} " + " ".join(repr(float(x)) for x in value.ravel()) + "\n")
