#!/usr/bin/env python3
"""What lyco-extract is measured against: the fastest plain Python that does the same work.

usage: peer-extract.py BASE TUNED OUT [RANK]

Streams two single-file checkpoints tensor by tensor and keeps the leading RANK (32) singular
triplets of every linear and convolution difference of UNet and text encoder, found by
torch.svd_lowrank with q = 2 * RANK and two power iterations. Factors are stored as float16.
"""

import concurrent.futures
import os
import sys

# Waiting threads of OpenMP spin otherwise, which costs several times the work on a busy machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from safetensors import safe_open
from safetensors.torch import save_file

COMPONENTS = ("model.diffusion_model.", "cond_stage_model.")


@torch.inference_mode()
def decompose(base, tuned, key, rank):
    """Up and down factors of one module."""
    weight = tuned.get_tensor(key)
    delta = weight.float().sub_(base.get_tensor(key))
    flat = delta.flatten(1)
    kept = min(rank, *flat.shape)
    u, s, v = torch.svd_lowrank(flat, q=min(2 * rank, *flat.shape), niter=2)
    ones = [1] * (weight.dim() - 2)
    up = (u[:, :kept] * s[:kept]).reshape(weight.shape[0], kept, *ones)
    down = v[:, :kept].T.reshape(kept, *weight.shape[1:])
    return up.half().contiguous(), down.half().contiguous()


def main(base_path, tuned_path, out_path, rank=32):
    factors = {}
    # Whole modules side by side with one thread each: the small dense steps inside do not
    # spread over threads, so this is faster than torch's own threads.
    torch.set_num_threads(1)
    with safe_open(base_path, "pt") as base, safe_open(tuned_path, "pt") as tuned, \
            concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        keys = [key for key in base.keys()
                if key.startswith(COMPONENTS) and key.endswith(".weight")
                and "_embedding.weight" not in key and len(base.get_slice(key).get_shape()) > 1]
        found = pool.map(lambda key: decompose(base, tuned, key, rank), keys)
        for key, (up, down) in zip(keys, found):
            name = key.removesuffix(".weight")
            factors[f"{name}.lora_up.weight"], factors[f"{name}.lora_down.weight"] = up, down
            factors[f"{name}.alpha"] = torch.tensor(float(up.shape[1])).half()
    save_file(factors, out_path)
    print(f"{len(keys)} modules")


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__.split("\n\n")[1])
    torch.manual_seed(0)
    main(*sys.argv[1:4], *map(int, sys.argv[4:]))
