"""Pictures of the held-out class, to train an adapter with and to measure it by."""

import pathlib

import torch
from PIL import Image
from safetensors.torch import save_file

from . import autoencoder, diffusion, pictures

TRAINING, VALIDATION = "images/10_bag", "validation/1_bag"
NOISE = "validation.safetensors"
COUNT, KEPT = 48, 40
DRAWS = 8
"""Of noise and timestep, for each picture of the validation."""


def folder_of(base):
    """The folder with the pictures and the judge for a pipeline: its own, or `tiny` beside it for one
    that took its VAE over from there."""
    base = pathlib.Path(base)
    return base if (base / NOISE).exists() else base.with_name("tiny")


def write(folder, given):
    folder.mkdir(parents=True, exist_ok=True)
    for index, (pixels, text) in enumerate(zip(given.pixels, given.captions)):
        data = ((pixels + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
        Image.fromarray(data).save(folder / f"{index:02}.png", optimize=True)
        (folder / f"{index:02}.txt").write_text(f"{text}\n")


def read(folder):
    """Pictures of a folder in the order of their names."""
    paths = sorted(pathlib.Path(folder).glob("*.png"))
    data = [torch.frombuffer(bytearray(Image.open(path).convert("RGB").tobytes()), dtype=torch.uint8)
            for path in paths]
    pixels = torch.stack(data).view(-1, pictures.SIZE, pictures.SIZE, 3).permute(0, 3, 1, 2)
    return pictures.Pictures(
        pixels.float() / 127.5 - 1, torch.full((len(paths),), pictures.HELD_OUT),
        [path.with_suffix(".txt").read_text().strip() for path in paths])


def make(options):
    images, labels = pictures.read(options.mnist, "t10k")

    def bags(count, start):
        indices = pictures.chosen(labels, [pictures.HELD_OUT], count, start)
        return pictures.pictures(images, labels, indices, 9 + start)
    write(options.folder / TRAINING, bags(COUNT, 0))
    write(options.folder / VALIDATION, bags(KEPT, COUNT))
    vae = autoencoder.load(options.folder)
    latents, _ = autoencoder.moments(vae, read(options.folder / VALIDATION).pixels)
    latents *= vae.config.scaling_factor
    g = torch.Generator().manual_seed(10)
    spread = torch.rand(KEPT, DRAWS, generator=g) + torch.arange(DRAWS)
    steps = (spread / DRAWS * len(diffusion.scheduler().alphas_cumprod)).long()
    noise = torch.randn(KEPT, DRAWS, *latents.shape[1:], generator=g)
    save_file({"latents": latents.contiguous(), "noise": noise.half(), "timesteps": steps.int()},
              options.folder / NOISE, {"format": "pt"})
    return f"{COUNT} and {KEPT} pictures"
