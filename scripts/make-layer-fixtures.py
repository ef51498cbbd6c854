#!/usr/bin/env python3
"""Writes Fixtures/training/layers/layers.safetensors: layers at the sizes of Stable Diffusion 1.5 as PyTorch
computes them, forward and backward.

Inputs are a formula of the index and are not stored; of every result there are some hundred elements, evenly
spread, and its norm.
"""

import pathlib

import numpy
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

TARGET = pathlib.Path(__file__).resolve().parent.parent / "Fixtures/training/layers/layers.safetensors"
SAMPLES = 256


def made(seed, *shape):
    """Even in ±1: the top 24 bits of a hash of the index."""
    x = numpy.arange(int(numpy.prod(shape)), dtype=numpy.uint32) + numpy.uint32(seed * 0x9E3779B9 % 2**32)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x ^= x >> numpy.uint32(shift)
        x *= numpy.uint32(factor)
    x ^= x >> numpy.uint32(16)
    values = (x >> numpy.uint32(8)).astype(numpy.float32) / numpy.float32(2**23) - numpy.float32(1)
    return torch.from_numpy(values.reshape(shape)).requires_grad_()


def attention(heads, causal):
    def run(q, k, v):
        split = lambda t: t.unflatten(-1, (heads, -1)).transpose(1, 2)
        y = F.scaled_dot_product_attention(split(q), split(k), split(v), is_causal=causal)
        return y.transpose(1, 2).flatten(2)
    return run


def image(operation):
    """With channels last, as they are stored here."""
    return lambda x, *rest: operation(x.permute(0, 3, 1, 2), *rest).permute(0, 2, 3, 1)


def gated(x):
    a, b = x.chunk(2, -1)
    return a * F.gelu(b)


CASES = {
    "self_attention": (attention(8, False), (1, 1024, 640), (1, 1024, 640), (1, 1024, 640)),
    "long_attention": (attention(1, False), (1, 2304, 40), (1, 2304, 40), (1, 2304, 40)),
    "cross_attention": (attention(8, False), (1, 1024, 320), (1, 77, 320), (1, 77, 320)),
    "causal_attention": (attention(12, True), (2, 77, 768), (2, 77, 768), (2, 77, 768)),
    "group_norm": (
        image(lambda x, w, b: F.silu(F.group_norm(x, 32, w, b, 1e-5))), (1, 64, 64, 320), (320,), (320,)),
    "layer_norm": (lambda x, w, b: F.layer_norm(x, x.shape[-1:], w, b), (1, 1024, 640), (640,), (640,)),
    "geglu": (gated, (1, 256, 10240)),
    "convolution": (image(lambda x, w: F.conv2d(x, w, padding=1)), (1, 16, 16, 320), (320, 320, 3, 3)),
    "strided_convolution": (
        image(lambda x, w: F.conv2d(x, w, padding=1, stride=2)), (1, 32, 32, 320), (320, 320, 3, 3)),
}


def main():
    tensors = {}
    for name, (function, *shapes) in CASES.items():
        inputs = [made(seed + 1, *shape) for seed, shape in enumerate(shapes)]
        y = function(*inputs)
        y.backward(made(99, *y.shape).detach())
        for part, value in [("y", y)] + [(f"d{i}", x.grad) for i, x in enumerate(inputs)]:
            flat = value.detach().contiguous().flatten()
            tensors[f"{name}.{part}"] = flat[:: max(flat.numel() // SAMPLES, 1)].clone()
            tensors[f"{name}.{part}.norm"] = flat.double().norm().float()
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, TARGET, {"torch": torch.__version__})


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
