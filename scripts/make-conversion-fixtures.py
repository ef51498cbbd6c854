#!/usr/bin/env python3
"""Writes Fixtures/conversion: what torch and the reference writer make of checkpoints and adapters.

usage: make-conversion-fixtures.py

`a`, `b` and `c` are checkpoints of one small model in several formats; the other checkpoints are made
of them in float64 and rounded once, by torch. `hashes.json` describes adapters by a rule for their
bytes and has the two hashes of kohya's scripts for the files that the Python library writes of them:

    m = {k: v for k, v in metadata.items() if k.startswith("ss_")}
    b = io.BytesIO(safetensors.torch.save(tensors, m))
    model: SHA-256 of everything behind the header
    legacy: first 8 digits of the SHA-256 of bytes 0x100000 to 0x110000 of all of it
"""

import hashlib
import json
import math
import pathlib
import zlib

import safetensors.torch
import torch

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "Fixtures" / "conversion"
SEED = 20251122

MODEL = {
    "blocks.0.attn.weight": ([24, 16], torch.float16), "blocks.0.attn.bias": ([24], torch.float16),
    "blocks.0.conv.weight": ([8, 6, 3, 3], torch.bfloat16), "blocks.0.norm.weight": ([24], torch.float32),
    "blocks.1.mlp.weight": ([16, 40], torch.float32), "blocks.1.exact.weight": ([5, 7], torch.float64),
    "blocks.1.scale": ([], torch.float16), "ids": ([1, 9], torch.int64), "mask": ([4], torch.bool),
    "empty": ([0], torch.float32),
}
# What the widest numbers of each format and the edges of the others do.
EDGES = [0.0, -0.0, 1.0, 1e-3, 2e-8, 3e-6, 6e-5, 449.0, 470.0, 60000.0, 65504.0, -448.0, 1 + 2**-9, 3e-39]


def checkpoint(name):
    tensors = {}
    for key, (shape, dtype) in MODEL.items():
        g = torch.Generator().manual_seed(SEED + zlib.crc32(f"{name} {key}".encode()))
        if dtype.is_floating_point:
            values = torch.randn(shape, generator=g, dtype=torch.float64)
        else:
            values = torch.randint(0, 2 if dtype == torch.bool else 100, shape, generator=g)
        tensors[key] = values.to(dtype)
    edges = torch.tensor(EDGES, dtype=torch.float64)
    tensors["edges.f32"] = edges.float()
    tensors["edges.bf16"] = edges.bfloat16()
    tensors["edges.f64"] = edges
    return tensors


def write(name, tensors, metadata=None):
    (FIXTURES / f"{name}.safetensors").write_bytes(safetensors.torch.save(tensors, metadata))


def of_numbers(tensors, function):
    """`function` of every floating-point tensor, the rest as in the first."""
    return {key: function(key, value) if value.dtype.is_floating_point and value.numel() else value
            for key, value in tensors.items()}


def arithmetic(a, b, c):
    def total(*shares):
        return lambda key, value: sum(
            share * model[key].double() for share, model in zip(shares, (a, b, c))).to(value.dtype)

    write("sum-two", of_numbers(a, total(0.6, 0.4)))
    write("sum-three", of_numbers(a, total(0.5, 0.375, 0.125)))
    write("difference", of_numbers(a, total(1, 0.7, -0.7)))


class Described:
    """Adapters of many formats whose bytes follow a rule."""

    DTYPES = {"F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32, "F64": torch.float64,
              "I64": torch.int64, "F8_E4M3": torch.float8_e4m3fn}

    @staticmethod
    def tensor(dtype, shape, seed):
        """Byte i is (7 i + seed) mod 61: never NaN or infinity in any format."""
        dtype = Described.DTYPES[dtype]
        count = math.prod(shape) * dtype.itemsize
        data = (torch.arange(count, dtype=torch.int64) * 7 + seed) % 61
        return data.to(torch.uint8).view(dtype).reshape(shape)

    @staticmethod
    def modules(*modules):
        tensors, seed = [], 0
        for name, rows, columns, rank, (up, down, alpha) in modules:
            for suffix, dtype, shape in (("lora_up.weight", up, [rows, rank]),
                                         ("lora_down.weight", down, [rank, columns]),
                                         ("alpha", alpha, [])):
                seed += 1
                tensors.append({"name": f"{name}.{suffix}", "dtype": dtype, "shape": shape, "seed": seed})
        return tensors


def hashes():
    metadata = {"ss_network_module": "networks.lora", "ss_network_dim": "4", "ss_network_args": "{}",
                "ss_v2": "False", "ss_tag_frequency": '{"ä": {"1girl": 3}}', "format": "pt"}
    cases = {
        "small": (Described.modules(
            ("lora_unet_a", 24, 16, 4, ("F16", "BF16", "F32")),
            ("lora_unet_b", 8, 40, 4, ("F32", "F16", "F16"))), metadata),
        "mixed": (Described.modules(
            ("lora_unet_a", 1280, 640, 128, ("F16", "BF16", "F32")),
            ("lora_unet_b", 320, 640, 128, ("F8_E4M3", "F32", "BF16")),
            ("lora_te_c", 768, 768, 128, ("BF16", "F16", "F16"))), metadata),
        "no-metadata": (Described.modules(
            ("lora_unet_a", 1280, 1024, 128, ("F32", "F16", "F32")),
            ("lora_unet_b", 640, 1024, 128, ("F16", "F16", "F64"))), {}),
    }
    described = []
    for name, (tensors, metadata) in cases.items():
        made = {t["name"]: Described.tensor(t["dtype"], t["shape"], t["seed"]) for t in tensors}
        training = {key: value for key, value in metadata.items() if key.startswith("ss_")}
        data = safetensors.torch.save(made, training)
        start = int.from_bytes(data[:8], "little") + 8
        described.append({
            "name": name, "tensors": tensors, "metadata": metadata,
            "model": hashlib.sha256(data[start:]).hexdigest(),
            "legacy": hashlib.sha256(data[0x100000:0x110000]).hexdigest()[:8],
        })
    (FIXTURES / "hashes.json").write_text(json.dumps(described, indent=1, ensure_ascii=False) + "\n")


def main():
    FIXTURES.mkdir(exist_ok=True)
    a, b, c = (checkpoint(name) for name in "abc")
    for name, model in zip("abc", (a, b, c)):
        write(name, model, {"modelspec.title": f"Model {name.upper()}"})
    for name, dtype in (("f32", torch.float32), ("f16", torch.float16), ("bf16", torch.bfloat16)):
        write(f"a-{name}", of_numbers(a, lambda key, value: value.to(dtype)))
    arithmetic(a, b, c)
    hashes()


if __name__ == "__main__":
    main()
