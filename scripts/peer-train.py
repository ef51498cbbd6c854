#!/usr/bin/env python3
"""What lyco-train is measured against: a training step of PyTorch with lycoris-lora.

usage: peer-train.py [--steps K] [--bypass] [--bf16] [--checkpointing] [--rank R] [--size PIXELS]

Stable Diffusion 1.5's UNet by diffusers with random weights, a LoRA of rank R (16) by lycoris-lora
on attention and feed-forward (preset attn-mlp: 192 modules, and since 4.1 the two of the time
embedding), AdamW; latents of one picture of PIXELS (512) by PIXELS and 77 tokens given. LyCORIS
rebuilds each weight by default and computes beside it with --bypass. --bf16 holds the frozen weights
in bfloat16 and runs under autocast, as sd-scripts does with --mixed_precision bf16. After a step to
warm up, K (3) steps are timed. Prints one line of JSON: seconds of the median and of the fastest
step, peak resident bytes, modules, the losses.
"""

import argparse
import json
import logging
import os
import resource
import statistics
import time
import warnings

# Waiting threads of OpenMP spin otherwise, which costs several times the work on a busy machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

logging.disable(logging.WARNING)
warnings.filterwarnings("ignore")

import torch  # noqa: E402
from diffusers import DDPMScheduler, UNet2DConditionModel  # noqa: E402
from lycoris import kohya  # noqa: E402


def models(options):
    """The frozen UNet and the adapter on it."""
    torch.manual_seed(20251122)
    unet = UNet2DConditionModel(cross_attention_dim=768)
    unet.requires_grad_(False)
    if options.bf16:
        unet.to(torch.bfloat16)
    if options.checkpointing:
        unet.enable_gradient_checkpointing()
    network = kohya.create_network(
        1.0, options.rank, options.rank, None, None, unet, warn_on_unmatched=False, algo="lora",
        preset="attn-mlp", bypass_mode=str(options.bypass))
    network.apply_to(None, unet, False, True)
    network.float().requires_grad_(True)
    return unet.train(), network.train()


def steps(unet, network, options):
    """Trains on; seconds and loss of each step."""
    scheduler = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)
    latents = torch.randn(1, 4, options.size // 8, options.size // 8)
    context = torch.randn(1, 77, 768)
    while True:
        start = time.perf_counter()
        noise, step = torch.randn_like(latents), torch.randint(1000, (1,))
        noisy = scheduler.add_noise(latents, noise, step)
        with torch.autocast("cpu", torch.bfloat16, enabled=options.bf16):
            found = unet(noisy, step, context).sample
        loss = (found.float() - noise).square().mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        yield time.perf_counter() - start, loss.item()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--bypass", action="store_true")
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--checkpointing", action="store_true")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--size", type=int, default=512)
    options = parser.parse_args()
    unet, network = models(options)
    run = steps(unet, network, options)
    next(run)
    seconds, losses = zip(*(next(run) for _ in range(options.steps)))
    print(json.dumps({
        "seconds": statistics.median(seconds), "fastest": min(seconds),
        "peak_resident_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "modules": len(network.unet_loras), "losses": losses}))


if __name__ == "__main__":
    main()
