#!/usr/bin/env python3
"""What lyco-train is measured against: a training step of PyTorch with lycoris-lora.

usage: peer-train.py [--family NAME] [--steps K] [--bypass] [--bf16] [--checkpointing] [--rank R]
                     [--size PIXELS] [--tiny]

The UNet of Stable Diffusion 1.5 (sd1, default) or XL (sdxl) by diffusers with random weights, a LoRA
of rank R (16) by lycoris-lora on attention and feed-forward (192 or 722 modules), AdamW; latents of
one picture of PIXELS (512) by PIXELS and the vectors of a caption of 77 tokens given, for XL its pooled
vector and the sizes too. LyCORIS rebuilds each weight by default and computes beside it with
--bypass. --bf16 holds the frozen weights in bfloat16 and runs under autocast, as sd-scripts does with
--mixed_precision bf16. After a step to warm up, K (3) steps are timed. --tiny makes the same modules
narrow, to try the program out. Prints one line of JSON: seconds of the median and of the fastest step,
peak resident bytes, modules, the losses.
"""

import argparse
import json
import logging
import os
import resource
import statistics
import sys
import time
import warnings

# Waiting threads of OpenMP spin otherwise, which costs several times the work on a busy machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

logging.disable(logging.WARNING)
warnings.filterwarnings("ignore")

import torch  # noqa: E402
from diffusers import DDPMScheduler, UNet2DConditionModel  # noqa: E402
from lycoris import kohya  # noqa: E402


SD1 = {"block_out_channels": (320, 640, 1280, 1280), "attention_head_dim": 8,
       "cross_attention_dim": 768}
SDXL = {"block_out_channels": (320, 640, 1280), "attention_head_dim": (5, 10, 20),
        "cross_attention_dim": 2048, "use_linear_projection": True,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": (1, 2, 10), "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256, "projection_class_embeddings_input_dim": 2816}
FAMILIES = {"sd1": SD1, "sdxl": SDXL}
TINY = {"sd1": {"block_out_channels": (32, 32, 64, 64), "attention_head_dim": 4,
                "cross_attention_dim": 32},
        "sdxl": {"block_out_channels": (32, 32, 64), "attention_head_dim": (2, 2, 4),
                 "cross_attention_dim": 32, "projection_class_embeddings_input_dim": 1568}}
MODULES = {"sd1": 192, "sdxl": 722}


def random_unet(options):
    """Made in the precision it is used in: its memory is then that of training, not of its making."""
    shape = FAMILIES[options.family] | (TINY[options.family] if options.tiny else {})
    with torch.device("meta"):
        unet = UNet2DConditionModel(**shape)
    unet.to(torch.bfloat16 if options.bf16 else torch.float32).to_empty(device="cpu")
    for name, weight in unet.named_parameters():
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=weight[0].numel() ** -0.5)
        else:
            torch.nn.init.constant_(weight, float("norm" in name and name.endswith("weight")))
    return unet


def models(options):
    """The frozen UNet and the adapter on it."""
    torch.manual_seed(20251122)
    unet = random_unet(options).requires_grad_(False)
    if options.checkpointing:
        unet.enable_gradient_checkpointing()
    network = kohya.create_network(
        1.0, options.rank, options.rank, None, None, unet, warn_on_unmatched=False, algo="lora",
        preset="attn-mlp", bypass_mode=str(options.bypass))
    # Since 4.1 the preset takes the embeddings of time and sizes too, of diffusers' UNet alone.
    network.unet_loras = [module for module in network.unet_loras if "_attentions_" in module.lora_name]
    if len(network.unet_loras) != MODULES[options.family]:
        sys.exit(f"peer-train.py: {len(network.unet_loras)} modules, {MODULES[options.family]} expected")
    network.apply_to(None, unet, False, True)
    network.float().requires_grad_(True)
    return unet.train(), network.train()


def steps(unet, network, options):
    """Trains on; seconds and loss of each step."""
    scheduler = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)
    latents = torch.randn(1, 4, options.size // 8, options.size // 8)
    context = torch.randn(1, 77, unet.config.cross_attention_dim)
    others = {}
    if options.family == "sdxl":
        pooled = unet.config.projection_class_embeddings_input_dim - 6 * unet.config.addition_time_embed_dim
        sizes = torch.tensor([[options.size, options.size, 0, 0, options.size, options.size]])
        others["added_cond_kwargs"] = {"text_embeds": torch.randn(1, pooled), "time_ids": sizes}
    while True:
        start = time.perf_counter()
        noise, step = torch.randn_like(latents), torch.randint(1000, (1,))
        noisy = scheduler.add_noise(latents, noise, step)
        with torch.autocast("cpu", torch.bfloat16, enabled=options.bf16):
            found = unet(noisy, step, context, **others).sample
        loss = (found.float() - noise).square().mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        yield time.perf_counter() - start, loss.item()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--family", choices=FAMILIES, default="sd1")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--bypass", action="store_true")
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--checkpointing", action="store_true")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--tiny", action="store_true")
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
