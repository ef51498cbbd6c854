#!/usr/bin/env python3
"""Writes Fixtures/safetensors/*.safetensors with the Python package, for round trips.

Made with safetensors 0.8.0 and numpy 2.4.6; always the same bytes, because no file has more than
one metadata key (the package writes several in random order).
"""

import pathlib

import numpy as np
from safetensors import TensorSpec, serialize_file
from safetensors.numpy import save_file

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "Fixtures" / "safetensors"
FOLDER.mkdir(parents=True, exist_ok=True)

# Every format that `TensorSpec` knows, with its bits per element.
BITS = {
    "bool": 8, "float4_e2m1fn_x2": 8, "uint8": 8, "int8": 8, "float8_e5m2": 8,
    "float8_e4m3fn": 8, "float8_e8m0fnu": 8, "float8_e4m3fnuz": 8, "float8_e5m2fnuz": 8,
    "int16": 16, "uint16": 16, "float16": 16, "bfloat16": 16, "int32": 32, "uint32": 32,
    "float32": 32, "complex64": 64, "float64": 64, "int64": 64, "uint64": 64,
}


def every_dtype():
    tensors, owners = {}, []
    for i, (dtype, bits) in enumerate(BITS.items()):
        data = np.array(
            [(i + 37 * k) % (2 if dtype == "bool" else 256) for k in range(6 * bits // 8)], np.uint8)
        owners.append(data)
        # F4 holds two elements per byte: the package doubles the last extent.
        tensors[f"tensor.{dtype}"] = TensorSpec(
            dtype=dtype, shape=[2, 3], data_ptr=data.ctypes.data, data_len=data.nbytes
        )
    return tensors, owners


tensors, owners = every_dtype()
serialize_file(tensors, FOLDER / "every-dtype.safetensors", None)

NAMES = [
    "b", "a.weight", "a", "A", "é", "e\u0301x", "日本語", "😀", "with \"quotes\" and \\backslash/",
    "line\nbreak\ttab\r\b\f", "control\x01\x1f\x7f", "", " ",
]
save_file(
    {name: np.arange(i + 1, dtype=np.float32) for i, name in enumerate(NAMES)},
    FOLDER / "names.safetensors",
    metadata={"comment": "quotes \"\", line\nbreak, tab\t, \x02, slash /, 😀, é"},
)

save_file(
    {
        "scalar": np.array(2.5, np.float32),
        "empty": np.zeros((0, 3), np.float16),
        "empty too": np.zeros((4, 0), np.float32),
        "matrix": np.arange(6, dtype=np.float32).reshape(2, 3) - 2.5,
        "half": np.arange(-3, 3, dtype=np.float16) / 4,
        "double": np.linspace(-1, 1, 5),
        "bytes": np.arange(5, dtype=np.uint8),
        "long": np.array([-7, 2**40], np.int64),
        "bool": np.array([True, False, True]),
    },
    FOLDER / "shapes.safetensors",
    metadata={"format": "np"},
)

save_file({}, FOLDER / "no-tensors.safetensors")
save_file({}, FOLDER / "only-metadata.safetensors", metadata={"key": "value"})

for path in FOLDER.glob("*.safetensors"):
    path.chmod(0o644)
