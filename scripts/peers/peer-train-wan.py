#!/usr/bin/env python3
"""What lyco-train is measured against: a training step of Wan 2.1 1.3B by diffusers with peft.

usage: peer-train-wan.py [--steps K] [--bf16] [--rank R] [--size PIXELS]

The transformer of the real shape with random weights, a LoRA of rank R (16) on its 300 projections, AdamW; latents
of one picture of PIXELS (512) by PIXELS and 512 rows of text given. --bf16 holds the frozen weights in bfloat16 and
runs under autocast, as musubi-tuner does with --mixed_precision bf16. After a step to warm up, K (3) steps are timed.
Prints one line of JSON: seconds of the median and of the fastest step, peak resident bytes, modules, the losses.
"""

import argparse
import json
import os
import resource
import statistics
import sys
import time

# Waiting threads of OpenMP spin otherwise, which costs several times the work on a busy machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch  # noqa: E402
from diffusers import WanTransformer3DModel  # noqa: E402
from peft import LoraConfig  # noqa: E402

TARGETS = ["to_q", "to_k", "to_v", "to_out.0", "ffn.net.0.proj", "ffn.net.2"]


def transformer(options):
    """Made in the precision it is used in: its memory is then that of training, not of its making."""
    torch.manual_seed(20251122)
    with torch.device("meta"):
        model = WanTransformer3DModel(
            num_attention_heads=12, attention_head_dim=128, in_channels=16, out_channels=16, text_dim=4096,
            freq_dim=256, ffn_dim=8960, num_layers=30, cross_attn_norm=True,
            qk_norm="rms_norm_across_heads", rope_max_seq_len=1024)
    rope = WanTransformer3DModel(
        num_attention_heads=12, attention_head_dim=128, in_channels=16, out_channels=16, text_dim=8, freq_dim=8,
        ffn_dim=8, num_layers=1, rope_max_seq_len=1024).rope
    model.to(torch.bfloat16 if options.bf16 else torch.float32).to_empty(device="cpu")
    model.rope = rope
    for name, weight in model.named_parameters():
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=weight[0].numel() ** -0.5)
        else:
            torch.nn.init.constant_(weight, float("norm" in name and name.endswith("weight")))
    model.requires_grad_(False)
    model.add_adapter(LoraConfig(r=options.rank, lora_alpha=options.rank, target_modules=TARGETS))
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    for weight in trained:
        weight.data = weight.data.float()
    if len(trained) != 600:
        sys.exit(f"peer-train-wan.py: {len(trained) // 2} modules, 300 expected")
    return model.train(), trained


def steps(model, trained, options):
    """Trains on; seconds and loss of each step."""
    optimizer = torch.optim.AdamW(trained, lr=1e-4)
    extent = options.size // 8
    latents, text = torch.randn(1, 16, 1, extent, extent), torch.randn(1, 512, 4096)
    text[:, 77:] = 0
    while True:
        start = time.perf_counter()
        noise, share = torch.randn_like(latents), torch.rand(1)
        noisy = (1 - share) * latents + share * noise
        with torch.autocast("cpu", torch.bfloat16, enabled=options.bf16):
            found = model(noisy, share * 1000 + 1, text).sample
        loss = (found.float() - (noise - latents)).square().mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        yield time.perf_counter() - start, loss.item()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--size", type=int, default=512)
    options = parser.parse_args()
    run = steps(*transformer(options), options)
    next(run)
    seconds, losses = zip(*(next(run) for _ in range(options.steps)))
    print(json.dumps({
        "seconds": statistics.median(seconds), "fastest": min(seconds),
        "peak_resident_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "modules": 300, "losses": losses}))


if __name__ == "__main__":
    main()
