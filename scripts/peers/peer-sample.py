#!/usr/bin/env python3
"""What lyco-sample is measured against: a picture by diffusers.

usage: peer-sample.py [--family NAME] [--steps K] [--bf16] [--size PIXELS]

The UNet and the autoencoder of Stable Diffusion 1.5 (sd1, default) or XL (sdxl) with random weights; the vectors of a
prompt and of a negative one of 77 tokens given. K (20) steps of Euler with guidance, batch of two, then the decoder.
--bf16 holds all weights in bfloat16, as a pipeline of that type does. Prints one line of JSON: seconds of
the steps, of the decoder and of both.
"""

import argparse
import json
import os
import time

# Waiting threads of OpenMP spin otherwise, which costs several times the work on a busy machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch  # noqa: E402
from diffusers import AutoencoderKL, EulerDiscreteScheduler, UNet2DConditionModel  # noqa: E402

SHAPES = {
    "sd1": {"block_out_channels": (320, 640, 1280, 1280), "attention_head_dim": 8, "cross_attention_dim": 768},
    "sdxl": {
        "block_out_channels": (320, 640, 1280), "attention_head_dim": (5, 10, 20), "cross_attention_dim": 2048,
        "use_linear_projection": True,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": (1, 2, 10), "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256, "projection_class_embeddings_input_dim": 2816}}
AUTOENCODER = {
    "block_out_channels": (128, 256, 512, 512), "layers_per_block": 2, "latent_channels": 4,
    "down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4}


def randomized(kind, shape, dtype):
    """Made in the precision it is used in: its memory is then that of drawing, not of its making."""
    with torch.device("meta"):
        model = kind(**shape)
    model.to(dtype).to_empty(device="cpu")
    for name, weight in model.named_parameters():
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=weight[0].numel() ** -0.5)
        else:
            torch.nn.init.constant_(weight, float("norm" in name and name.endswith("weight")))
    return model.requires_grad_(False).eval()


@torch.inference_mode()
def draw(options):
    torch.manual_seed(20251122)
    dtype = torch.bfloat16 if options.bf16 else torch.float32
    shape = SHAPES[options.family]
    unet = randomized(UNet2DConditionModel, shape, dtype)
    decoder = randomized(AutoencoderKL, AUTOENCODER, dtype)
    del decoder.encoder
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_spacing="linspace")
    scheduler.set_timesteps(options.steps)
    text = torch.randn(2, 77, shape["cross_attention_dim"], dtype=dtype)
    added = None
    if options.family == "sdxl":
        added = {"text_embeds": torch.randn(2, 1280, dtype=dtype),
                 "time_ids": torch.tensor([[options.size, options.size, 0, 0, options.size, options.size]] * 2, dtype=dtype)}
    extent = options.size // 8
    start = time.perf_counter()
    latents = torch.randn(1, 4, extent, extent, dtype=dtype) * scheduler.init_noise_sigma
    for step in scheduler.timesteps:
        batch = scheduler.scale_model_input(torch.cat([latents] * 2), step).to(dtype)
        away, towards = unet(batch, step, text, added_cond_kwargs=added).sample.chunk(2)
        latents = scheduler.step(away + 7.5 * (towards - away), step, latents).prev_sample
    stepped = time.perf_counter()
    decoder.decode(latents.to(dtype) / 0.18215)
    ended = time.perf_counter()
    return stepped - start, ended - stepped


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--family", choices=SHAPES, default="sd1")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--size", type=int, default=512)
    steps, decoding = draw(parser.parse_args())
    print(json.dumps({"steps": steps, "decoding": decoding, "seconds": steps + decoding}))


if __name__ == "__main__":
    main()
