#!/usr/bin/env python3
"""Writes a LoRA as sd-scripts trains it: for the linear layers of the attention blocks of a UNet.

usage: make-lora.py KEYS OUT [--rank 128]

KEYS lists a checkpoint, a key and its shape on each line, as the files of Fixtures/families do. Of SDXL
that makes 722 modules. float16, alpha half of the rank, singular values that fall like 1/k, so that
cutting ranks leaves an error like that of a trained adapter.
"""

import argparse
import pathlib

import torch
from safetensors.torch import save_file

SEED = 20251122
PREFIX = "model.diffusion_model."


def modules(path):
    for line in pathlib.Path(path).read_text().splitlines():
        key, shape = line.split("\t")
        extents = [int(n) for n in shape.split("x")]
        if not key.startswith(PREFIX) or not key.endswith(".weight") or len(extents) < 2:
            continue
        if ".transformer_blocks." in key or ".proj_in." in key or ".proj_out." in key:
            yield "lora_unet_" + key[len(PREFIX):-len(".weight")].replace(".", "_"), extents


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("keys")
    parser.add_argument("out")
    parser.add_argument("--rank", type=int, default=128)
    arguments = parser.parse_args()
    rank = arguments.rank
    generator = torch.Generator().manual_seed(SEED)
    decay = 1 / torch.arange(1, rank + 1)
    tensors = {}
    for name, extents in modules(arguments.keys):
        ones = [1] * (len(extents) - 2)
        down = torch.randn((rank, extents[1]), generator=generator) / extents[1] ** 0.5
        up = torch.randn((extents[0], rank), generator=generator) * decay * 0.1
        # What training mixes: no rank stands for one singular value.
        mix = torch.linalg.qr(torch.randn((rank, rank), generator=generator)).Q
        tensors[f"{name}.lora_down.weight"] = (mix.T @ down).reshape([rank, extents[1], *ones]).half()
        tensors[f"{name}.lora_up.weight"] = (up @ mix).reshape([extents[0], rank, *ones]).half()
        tensors[f"{name}.alpha"] = torch.tensor(rank / 2, dtype=torch.float16)
    save_file(tensors, arguments.out, metadata={
        "ss_network_module": "networks.lora", "ss_network_dim": str(rank),
        "ss_network_alpha": str(rank / 2), "ss_base_model_version": "sdxl_base_v1-0"})
    print(f"{arguments.out}: {len(tensors) // 3} modules")


main()
