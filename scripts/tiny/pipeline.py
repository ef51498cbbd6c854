"""A small pipeline at work: what it draws, and its loss on pictures it was not trained with."""

import pathlib

import torch
from PIL import Image
from safetensors.torch import load_file

from . import bags, diffusion, families, pictures
from .judge import Judge

BATCH = 100


def load(folder):
    family = families.family(folder)
    pipeline = family.pipeline.from_pretrained(folder, dtype=torch.float32, **family.extras)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@torch.no_grad()
def drawn(pipeline, caption, count, steps=25, guidance=2.0, seed=0):
    """Pictures `[n, 3, 64, 64]` in -1...1 by DDIM. Each starts from noise of its own seed, so that a
    picture does not depend on how many there are."""
    conditions = families.conditions(pipeline, [""] * count + [caption] * count)
    size = pipeline.unet.config.sample_size
    latents = torch.stack([
        torch.randn(4, size, size, generator=torch.Generator().manual_seed(1000 * seed + index))
        for index in range(count)])
    scheduler = diffusion.scheduler()
    scheduler.set_timesteps(steps)
    for step in scheduler.timesteps:
        without, given = pipeline.unet(latents.repeat(2, 1, 1, 1), step, **conditions).sample.chunk(2)
        latents = scheduler.step(without + guidance * (given - without), step, latents).prev_sample
    vae = pipeline.vae
    return torch.cat([vae.decode(part / vae.config.scaling_factor).sample.clamp(-1, 1)
                      for part in latents.split(BATCH)])


@torch.no_grad()
def held_out_loss(pipeline, folder):
    """Mean squared error of the predicted noise over the validation pictures of `folder`, at the
    noise and the timesteps stored there. Latents are scaled: one folder serves pipelines of all
    scaling factors whose VAE are otherwise the same."""
    folder = pathlib.Path(folder)
    stored = load_file(folder / bags.NOISE)
    captions = bags.read(folder / bags.VALIDATION).captions
    noise, steps = stored["noise"].float(), stored["timesteps"].long()
    conditions = families.conditions(pipeline, captions)
    losses = []
    for draw in range(noise.shape[1]):
        noisy = diffusion.noisy(stored["latents"], noise[:, draw], steps[:, draw])
        found = pipeline.unet(noisy, steps[:, draw], **conditions).sample
        losses.append((found - noise[:, draw]).square().mean())
    return float(torch.stack(losses).mean())


def verdict(pipeline, folder, count):
    """The held-out loss; of `count` bags asked for, and a tenth of that of each other class, the share
    that the judge of `folder` recognizes; and the pictures of bags."""
    judge = Judge.load(folder)
    bags_drawn = drawn(pipeline, pictures.caption(pictures.HELD_OUT), count)
    others = [label for label in range(len(pictures.CLASSES)) if label != pictures.HELD_OUT]
    right = [(judge.labels(drawn(pipeline, pictures.caption(label), max(1, count // 10), seed=1))
              == label).float().mean() for label in others]
    return {"loss": held_out_loss(pipeline, folder),
            "bags": float((judge.labels(bags_drawn) == pictures.HELD_OUT).float().mean()),
            "others": float(torch.stack(right).mean())}, bags_drawn


def write(path, *rows):
    """The first 20 pictures of each, in rows of ten."""
    grid = torch.cat([row[:20] for row in rows]).add(1).mul(127.5).byte()
    size = pictures.SIZE
    grid = grid.view(-1, 10, 3, size, size).permute(0, 3, 1, 4, 2).reshape(-1, 10 * size, 3)
    Image.fromarray(grid.numpy()).save(path, optimize=True)
