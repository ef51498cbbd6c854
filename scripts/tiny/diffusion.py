"""Text encoder and UNet of the small pipeline."""

import copy
import math

import numpy as np
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel

from . import autoencoder, pictures, tokens

WIDTH = 16
"""Of the text encoder: at CLIP's vocabulary the token embedding is nearly all of it."""
STEPS, BATCH, RATE, WARMUP = 3000, 32, 1.2e-3, 100
DROPOUT = 0.1
DECAY = 0.998
EACH = 800
"""Pictures of each class."""


def untrained():
    text_encoder = CLIPTextModel(CLIPTextConfig(
        hidden_size=WIDTH, intermediate_size=2 * WIDTH, num_hidden_layers=2, num_attention_heads=2))
    with torch.no_grad():  # rows of words that no caption has stay as they are: signs pack well
        text_encoder.get_input_embeddings().weight.sign_().mul_(0.02)
    unet = UNet2DConditionModel(
        sample_size=pictures.SIZE // 8, block_out_channels=(32, 48, 48, 32), norm_num_groups=8,
        attention_head_dim=4, cross_attention_dim=WIDTH)
    return text_encoder, unet


def scheduler():
    return DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
                         clip_sample=False, set_alpha_to_one=False, steps_offset=1)


def average(kept, models, step):
    """Moves the kept weights to the trained ones, faster in the beginning."""
    decay = min(DECAY, (1 + step) / (10 + step))
    for mean, model in zip(kept, models):
        for target, source in zip(mean.parameters(), model.parameters()):
            target.data.lerp_(source.data, 1 - decay)


def save(folder, text_encoder, unet, tokenizer):
    """The pipeline's folder; the text encoder below `text_model`, the level all published
    checkpoints have and transformers 5 dropped."""
    StableDiffusionPipeline(
        vae=autoencoder.load(folder).half(), text_encoder=text_encoder.half(), tokenizer=tokenizer, unet=unet.half(),
        scheduler=scheduler(), safety_checker=None, feature_extractor=None,
        requires_safety_checker=False).save_pretrained(folder)
    path = folder / "text_encoder" / "model.safetensors"
    save_file({f"text_model.{key}": value for key, value in load_file(path).items()}, path,
              {"format": "pt"})


def make(options):
    images, labels = pictures.read(options.mnist, "train")
    classes = [label for label in range(len(pictures.CLASSES)) if label != pictures.HELD_OUT]
    given = pictures.pictures(images, labels, pictures.chosen(labels, classes, EACH), 4)
    mean, deviation = autoencoder.moments(autoencoder.load(options.folder), given.pixels)
    tokenizer = tokens.of_captions(options.merges, pictures.captions())
    rows, empty = tokens.rows(tokenizer, given.captions), tokens.rows(tokenizer, [""])[0]
    alphas = scheduler().alphas_cumprod

    models = untrained()
    kept = copy.deepcopy(models)
    parameters = [weight for model in models for weight in model.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=RATE, weight_decay=0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(
        (step + 1) / WARMUP, 0.5 + 0.5 * math.cos(math.pi * step / STEPS)))
    random = np.random.default_rng(5)
    losses = []
    for step in range(STEPS):
        chosen = random.integers(len(mean), size=BATCH)
        latents = (mean[chosen] + deviation[chosen] * torch.randn(BATCH, *mean.shape[1:])
                   ) * autoencoder.SCALE
        captions = rows[chosen].clone()
        captions[torch.from_numpy(random.random(BATCH) < DROPOUT)] = empty
        noise, steps = torch.randn_like(latents), torch.randint(len(alphas), (BATCH,))
        alpha = alphas[steps][:, None, None, None]
        noisy = alpha.sqrt() * latents + (1 - alpha).sqrt() * noise
        text_encoder, unet = models
        found = unet(noisy, steps, text_encoder(captions).last_hidden_state).sample
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
        if step % 500 == 499 or step + 1 == STEPS:
            save(options.folder, *copy.deepcopy(kept), tokenizer)
    return f"loss {np.mean(losses[-500:]):.4f}"
