"""Text encoders and UNet of the small pipelines."""

import copy
import math

import numpy as np
import torch
from diffusers import DDIMScheduler
from safetensors.torch import load_file, save_file

from . import autoencoder, pictures, tokens

BATCH, RATE, WARMUP = 32, 1.2e-3, 100
DROPOUT = 0.1
DECAY = 0.998
EACH = 800
"""Pictures of each class."""
KEPT = 20
"""Pictures of each class that are held out, to see how the loss falls."""
CUT = 4
"""One picture in so many is cut, where the family has sizes."""


def scheduler():
    return DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
                         clip_sample=False, set_alpha_to_one=False, steps_offset=1)


def average(kept, models, step):
    """Moves the kept weights to the trained ones, faster in the beginning."""
    decay = min(DECAY, (1 + step) / (10 + step))
    for mean, model in zip(kept, models):
        for target, source in zip(mean.parameters(), model.parameters()):
            target.data.lerp_(source.data, 1 - decay)


def noisy(latents, noise, steps):
    alpha = scheduler().alphas_cumprod[steps][:, None, None, None]
    return alpha.sqrt() * latents + (1 - alpha).sqrt() * noise


def save(options, encoders, unet, tokenizers):
    """The pipeline's folder; text encoders below `text_model`, the level all published checkpoints
    have and transformers 5 dropped."""
    family = options.family
    family.pipeline(
        vae=autoencoder.load(options.folder).half(), unet=unet.half(), scheduler=scheduler(),
        **{name: encoder.half() for name, encoder in zip(family.encoders, encoders)},
        **dict(zip(family.tokenizers, tokenizers)), **family.extras).save_pretrained(options.folder)
    for name in family.encoders:
        path = options.folder / name / "model.safetensors"
        save_file({key if key.startswith("text_") else f"text_model.{key}": value
                   for key, value in load_file(path).items()}, path, {"format": "pt"})


class HeldOut:
    """The loss of pictures of the trained classes that are held out, each at a noise and a timestep
    of its own that stay the same."""

    def __init__(self, options, classes, vae, rows):
        images, labels = pictures.read(options.mnist, "t10k")
        given = pictures.pictures(images, labels, pictures.chosen(labels, classes, KEPT), 11)
        self.family, self.rows = options.family, rows(given.captions)
        self.latents = autoencoder.moments(vae, given.pixels)[0] * self.family.scale
        g = torch.Generator().manual_seed(12)
        count = len(self.latents)
        spread = (torch.arange(count) + torch.rand(count, generator=g)) / count
        self.steps = (spread * len(scheduler().alphas_cumprod)).long()
        self.noise = torch.randn(self.latents.shape, generator=g)

    @torch.no_grad()
    def loss(self, encoders, unet):
        found = unet(noisy(self.latents, self.noise, self.steps), self.steps,
                     **self.family.conditions(encoders, self.rows)).sample
        return float((found - self.noise).square().mean())


def make(options):
    family = options.family
    images, labels = pictures.read(options.mnist, "train")
    classes = [label for label in range(len(pictures.CLASSES)) if label != pictures.HELD_OUT]
    given = pictures.pictures(images, labels, pictures.chosen(labels, classes, EACH), 4)
    sizes = None
    if family.has_sizes:
        given, sizes = pictures.cut(given, CUT, 13)
    vae = autoencoder.load(options.folder)
    mean, deviation = autoencoder.moments(vae, given.pixels)
    tokenizers = [tokens.of_captions(options.merges, pictures.captions(), pad)
                  for pad in family.pads]

    def rows(captions):
        return torch.stack([tokens.rows(tokenizer, captions) for tokenizer in tokenizers])
    known, empty = rows(given.captions), rows([""])
    held_out = HeldOut(options, classes, vae, rows)

    models = family.untrained()
    kept = copy.deepcopy(models)
    parameters = [weight for model in models for weight in model.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=RATE, weight_decay=0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(
        (step + 1) / WARMUP, 0.5 + 0.5 * math.cos(math.pi * step / family.steps)))
    random = np.random.default_rng(5)
    losses, found_held = [], [held_out.loss(kept[:-1], kept[-1])]
    print(f"diffusion, untrained: held out {found_held[0]:.4f}", flush=True)
    for step in range(family.steps):
        chosen = random.integers(len(mean), size=BATCH)
        latents = (mean[chosen] + deviation[chosen] * torch.randn(BATCH, *mean.shape[1:])
                   ) * family.scale
        captions = known[:, chosen].clone()
        captions[:, torch.from_numpy(random.random(BATCH) < DROPOUT)] = empty
        noise = torch.randn_like(latents)
        steps = torch.randint(len(scheduler().alphas_cumprod), (BATCH,))
        *encoders, unet = models
        conditions = family.conditions(encoders, captions, None if sizes is None else sizes[chosen])
        found = unet(noisy(latents, noise, steps), steps, **conditions).sample
        loss = (found - noise).square().mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        average(kept, models, step)
        losses.append(loss.item())
        if step % 100 == 99:
            print(f"diffusion {step + 1}: {np.mean(losses[-100:]):.4f}", flush=True)
        if step % 500 == 499 or step + 1 == family.steps:
            *encoders, unet = copy.deepcopy(kept)
            found_held.append(held_out.loss(encoders, unet))
            print(f"diffusion {step + 1}: held out {found_held[-1]:.4f}", flush=True)
            save(options, encoders, unet, tokenizers)
    return (f"loss {np.mean(losses[-500:]):.4f}, held out {found_held[-1]:.4f}, "
            f"untrained {found_held[0]:.4f}")
