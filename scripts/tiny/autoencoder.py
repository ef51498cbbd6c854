"""The VAE of the small pipelines."""

import json

import numpy as np
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file

from . import pictures

STEPS, BATCH, RATE = 2000, 16, 2e-3
KL = 1e-4
"""Of the mean over latent values, beside the error of pixels in -1...1."""


def untrained(scale):
    return AutoencoderKL(
        block_out_channels=(16, 32, 32, 32), layers_per_block=2, latent_channels=4,
        norm_num_groups=8, down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4, sample_size=pictures.SIZE, scaling_factor=scale)


def load(folder):
    """The trained one. Its configuration names no folder, as one by `from_pretrained` does."""
    config = json.loads((folder / "vae" / "config.json").read_text())
    vae = untrained(config["scaling_factor"])
    vae.load_state_dict(load_file(folder / "vae" / "diffusion_pytorch_model.safetensors"))
    return vae.eval()


@torch.no_grad()
def moments(vae, pixels):
    """Mean and deviation of the latents, unscaled."""
    found = [vae.encode(part).latent_dist for part in pixels.split(100)]
    return torch.cat([part.mean for part in found]), torch.cat([part.std for part in found])


@torch.no_grad()
def normalize(vae, pixels):
    """Brings each latent channel to mean 0 and the deviation that the scaling factor makes 1; the
    decoder takes it back."""
    mean, _ = moments(vae, pixels)
    scale(vae, mean.mean((0, 2, 3)), mean.std((0, 2, 3)) * vae.config.scaling_factor)


@torch.no_grad()
def scale(vae, centre, spread):
    """Takes from each latent channel its centre and divides it by its spread, in the quantizing
    convolution; the one behind takes it back."""
    into, out = vae.quant_conv, vae.post_quant_conv
    channels = len(centre)
    into.weight[:channels] /= spread[:, None, None, None]
    into.bias[:channels] = (into.bias[:channels] - centre) / spread
    into.bias[channels:] -= 2 * spread.log()
    out.bias += out.weight[:, :, 0, 0] @ centre
    out.weight *= spread[:, None, None]


@torch.no_grad()
def deviation(vae, pixels):
    """Mean absolute error of what comes back, of pixels in 0...1."""
    back = torch.cat([vae.decode(vae.encode(part).latent_dist.mean).sample.clamp(-1, 1)
                      for part in pixels.split(100)])
    return float((back - pixels).abs().mean()) / 2


def taken_over(folder, factor):
    """A trained VAE whose latents another scaling factor brings to deviation 1."""
    given = load(folder)
    vae = untrained(factor)
    vae.load_state_dict(given.state_dict())
    ratio = torch.full((vae.config.latent_channels,), factor / given.config.scaling_factor)
    scale(vae, torch.zeros_like(ratio), ratio)
    return vae.eval()


def trained(options):
    images, labels = pictures.read(options.mnist, "train")
    classes = range(len(pictures.CLASSES))
    given = pictures.pictures(images, labels, pictures.chosen(labels, classes, 1000), 1).pixels
    vae = untrained(options.family.scale)
    optimizer = torch.optim.AdamW(vae.parameters(), lr=RATE, weight_decay=0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, STEPS, pct_start=0.05)
    random = np.random.default_rng(2)
    for step in range(STEPS):
        batch = given[random.integers(len(given), size=BATCH)]
        latents = vae.encode(batch).latent_dist
        back = vae.decode(latents.sample()).sample
        error = back - batch  # the absolute one alone leaves colours undecided for long
        loss = (error.abs().mean() + error.square().mean()
                + KL * latents.kl().mean() / latents.mean[0].numel())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(f"vae {step}: {loss.item():.4f}", flush=True)
    normalize(vae.eval(), given[:1000])
    return vae


def make(options):
    vae = taken_over(options.like, options.family.scale) if options.like else trained(options)
    vae.half().save_pretrained(options.folder / "vae")
    classes = range(len(pictures.CLASSES))
    images, labels = pictures.read(options.mnist, "t10k")
    kept = pictures.pictures(images, labels, pictures.chosen(labels, classes, 20), 3).pixels
    return f"mean absolute error {deviation(vae.float(), kept):.4f}"
