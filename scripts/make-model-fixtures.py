#!/usr/bin/env python3
"""Writes Fixtures/training/models: two tiny Stable Diffusion pipelines with random weights, and what
diffusers and transformers compute with them.

Needs torch, diffusers, transformers, safetensors. The weights are rounded to f16 before anything is
computed; the computation itself is in double precision, so that the golden values are those of the
formula and not of one implementation's sums.

Run from the root of the repository: scripts/make-model-fixtures.py
"""
import json
import shutil

import diffusers
import torch
import transformers
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

from fixtures.tiny_models import (BEGIN, END, OUT, VOCABULARY, SingleFile, family_keys, inverse, name_as_files_do,
                                  nhwc, random_values, randomize, stored, vae_configuration, vae_golden)

WIDTH = 32


def unet_configuration(name):
    configuration = dict(
        sample_size=16, in_channels=4, out_channels=4, layers_per_block=2, cross_attention_dim=WIDTH,
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3)
    if name == "tiny-sd1":
        # The field means the number of heads here.
        return configuration | dict(
            block_out_channels=(16, 32, 32, 32), attention_head_dim=4, norm_num_groups=8)
    return configuration | dict(
        block_out_channels=(8, 16, 16, 16), attention_head_dim=[1, 2, 2, 4], norm_num_groups=4,
        use_linear_projection=True)


def text_configuration(name):
    return CLIPTextConfig(
        vocab_size=VOCABULARY, hidden_size=WIDTH, intermediate_size=4 * WIDTH, num_hidden_layers=3,
        num_attention_heads=4, max_position_embeddings=77, projection_dim=WIDTH,
        hidden_act="quick_gelu" if name == "tiny-sd1" else "gelu",
        bos_token_id=BEGIN, eos_token_id=END, pad_token_id=END if name == "tiny-sd1" else 0)


def text_states(encoder, tokens, clip_skip):
    """What the layers but the last clip_skip - 1 give, through the final norm, as trainers do it."""
    states = []
    text = getattr(encoder, "text_model", encoder)
    hooks = [layer.register_forward_hook(
        lambda _, __, output: states.append(output[0] if isinstance(output, tuple) else output))
        for layer in text.encoder.layers]
    encoder(tokens)
    for hook in hooks:
        hook.remove()
    return text.final_layer_norm(states[-clip_skip])


def golden(unet, encoder, vae, generator):
    random, values = random_values(generator), {}
    latents, context = random(2, 4, 16, 24), random(2, 7, WIDTH)
    seed, timesteps = random(2, 4, 16, 24), torch.tensor([17, 801])
    latents.requires_grad_(), context.requires_grad_()
    output = unet(latents, timesteps, context).sample
    output.backward(seed)
    values |= {
        "unet.latents": nhwc(latents), "unet.timesteps": timesteps, "unet.context": context,
        "unet.output": nhwc(output), "unet.seed": nhwc(seed),
        "unet.latents.gradient": nhwc(latents.grad), "unet.context.gradient": context.grad}

    tokens = torch.randint(0, VOCABULARY, (2, 77), generator=generator)
    values["te1.tokens"] = tokens
    for clip_skip in (1, 2):
        values[f"te1.clip_skip_{clip_skip}"] = text_states(encoder, tokens, clip_skip)
    assert torch.equal(values["te1.clip_skip_1"], encoder(tokens).last_hidden_state)

    return stored(values | vae_golden(vae, random))


def single_file(name, unet, encoder, vae):
    file = SingleFile()
    file.add_unet(unet, inverse(
        lambda marked: convert_ldm_unet_checkpoint(marked, {"layers_per_block": 2}),
        family_keys("sd1.ldm", "model.diffusion_model.")))
    file.add_vae(vae, "sd1.ldm")
    if name == "tiny-sd1":
        file.add_clip("cond_stage_model.transformer.", "text_encoder", encoder)
    else:
        # A layer more than is used, as in OpenCLIP's own file: here a copy of the first.
        file.add_open_clip("cond_stage_model.model.", "text_encoder", encoder, [0, 1, 2, 0])
    return file.lines


def write(name, number):
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    generator = torch.Generator().manual_seed(number)
    unet = UNet2DConditionModel(**unet_configuration(name))
    encoder = CLIPTextModel(text_configuration(name))
    vae = AutoencoderKL(**vae_configuration(0.18215))
    for part, model in (("unet", unet), ("text_encoder", encoder), ("vae", vae)):
        model.eval()
        randomize(model, generator)
        model.half().save_pretrained(folder / part)
        model.double()
    name_as_files_do(folder / "text_encoder/model.safetensors")
    DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
                  prediction_type="epsilon" if name == "tiny-sd1" else "v_prediction",
                  clip_sample=False).save_pretrained(folder / "scheduler")
    index = {"_class_name": "StableDiffusionPipeline", "_diffusers_version": diffusers.__version__,
             "scheduler": ["diffusers", "DDPMScheduler"],
             "text_encoder": ["transformers", "CLIPTextModel"],
             "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"]}
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
    versions = {"versions": ", ".join(
        f"{module.__name__} {module.__version__}" for module in (torch, diffusers, transformers))}
    save_file(golden(unet, encoder, vae, generator), OUT / f"{name}.golden.safetensors", versions)
    (OUT / f"{name}.single-file.txt").write_text("".join(single_file(name, unet, encoder, vae)))
    for path in OUT.rglob("*.safetensors"):
        path.chmod(0o644)
    counts = [sum(p.numel() for p in m.parameters()) for m in (unet, encoder, vae)]
    print(name, "unet, text encoder, vae:", *counts)


write("tiny-sd1", 1)
write("tiny-sd2", 2)
