#!/usr/bin/env python3
"""Writes Fixtures/training/models: two tiny Stable Diffusion pipelines with random weights, and what
diffusers and transformers compute with them.

Needs torch, diffusers, transformers, safetensors. The weights are rounded to f16 before anything is
computed; the computation itself is in double precision, so that the golden values are those of the
formula and not of one implementation's sums.

Run from the root of the repository: scripts/make-model-fixtures.py
"""
import json
import pathlib
import shutil

import diffusers
import torch
import transformers
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from diffusers.loaders.single_file_utils import (convert_ldm_unet_checkpoint,
                                                 convert_ldm_vae_checkpoint)
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUT = ROOT / "Fixtures/training/models"
WIDTH = 32
VOCABULARY = 120


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
        bos_token_id=VOCABULARY - 2, eos_token_id=VOCABULARY - 1,
        pad_token_id=VOCABULARY - 1 if name == "tiny-sd1" else 0)


def vae_configuration():
    return dict(
        block_out_channels=(8, 16, 16, 16), layers_per_block=2, norm_num_groups=4, latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        sample_size=64, scaling_factor=0.18215)


def randomize(model, generator):
    """Weights that keep activations near 1 and norms that are not the identity, rounded to f16."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            if parameter.ndim == 1:
                value = 0.1 * noise + (1 if "norm" in name and name.endswith("weight") else 0)
            elif "embedding.weight" in name:
                value = 0.5 * noise
            else:
                value = noise * (1.5 / parameter[0].numel()) ** 0.5
            parameter.copy_(value.to(torch.float16))


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


def nhwc(tensor):
    return tensor.permute(0, 2, 3, 1)


def golden(unet, encoder, vae, generator):
    def random(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64).float().double()

    values = {}
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

    images = (random(2, 3, 48, 64) / 2).clamp(-1, 1)
    distribution = vae.encode(images).latent_dist
    values |= {"vae.images": nhwc(images), "vae.mean": nhwc(distribution.mean),
               "vae.logvar": nhwc(distribution.logvar)}
    latent = random(1, 4, 6, 8)
    values |= {"vae.latents": nhwc(latent), "vae.decoded": nhwc(vae.decode(latent).sample)}
    return {k: (v if v.dtype == torch.int64 else v.float()).detach().contiguous()
            for k, v in values.items()}


def family_keys(name, prefix):
    """Keys of a real single file."""
    lines = (ROOT / f"Fixtures/families/{name}.txt").read_text().splitlines()
    return [line.split("\t")[0] for line in lines if line.startswith(prefix)]


def inverse(convert, keys):
    """Original name by diffusers' name: diffusers converts the names themselves."""
    # Weights of the VAE's attention get an extent to lose.
    marked = {key: torch.full((1, 1, 1, 1) if ".attn_1." in key else (1,), number)
              for number, key in enumerate(keys)}
    return {name: keys[int(mark.flatten()[0])] for name, mark in convert(marked).items()}


def text_name(key):
    return key if key.startswith("text_model.") else "text_model." + key


def single_file(name, unet, encoder, vae):
    """Of which tensors of the folder an original single file consists: lines of a key, its shape and
    the tensors whose bytes follow one another in it."""
    lines = []

    def add(key, shape, *sources):
        lines.append(f"{key}\t{'x'.join(map(str, shape))}\t{' '.join(sources)}\n")

    ldm = inverse(
        lambda marked: convert_ldm_unet_checkpoint(marked, {"layers_per_block": 2}),
        family_keys("sd1.ldm", "model.diffusion_model."))
    for key, tensor in unet.state_dict().items():
        add(ldm[key], tensor.shape, f"unet/{key}")
    ldm = inverse(
        lambda marked: convert_ldm_vae_checkpoint(
            marked, {"down_block_types": [0] * 4, "up_block_types": [0] * 4}),
        family_keys("sd1.ldm", "first_stage_model."))
    for key, tensor in vae.state_dict().items():
        # 1x1 convolutions in the original's attention, linear layers with diffusers.
        attention = ".attentions." in key and tensor.ndim == 2
        add(ldm[key], tensor.shape + ((1, 1) if attention else ()), f"vae/{key}")
    text = {text_name(key): tensor for key, tensor in encoder.state_dict().items()
            if "position_ids" not in key}
    if name == "tiny-sd1":
        for key, tensor in text.items():
            add("cond_stage_model.transformer." + key, tensor.shape, f"text_encoder/{key}")
        return lines
    prefix = "cond_stage_model.model."
    names = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc",
             "mlp.fc2": "mlp.c_proj", "self_attn.out_proj": "attn.out_proj"}

    def add_text(key, hf):
        add(prefix + key, text[hf].shape, f"text_encoder/{hf}")

    add_text("positional_embedding", "text_model.embeddings.position_embedding.weight")
    add_text("token_embedding.weight", "text_model.embeddings.token_embedding.weight")
    # A layer more than is used, as in OpenCLIP's own file: here a copy of the first.
    for number, source in enumerate([0, 1, 2, 0]):
        layer = f"text_model.encoder.layers.{source}."
        block = f"transformer.resblocks.{number}."
        for kind in ("weight", "bias"):
            parts = [f"{layer}self_attn.{part}_proj.{kind}" for part in "qkv"]
            add(f"{prefix}{block}attn.in_proj_{kind}", (3 * WIDTH,) + text[parts[0]].shape[1:],
                *["text_encoder/" + part for part in parts])
            for hf, original in names.items():
                add_text(f"{block}{original}.{kind}", f"{layer}{hf}.{kind}")
    for kind in ("weight", "bias"):
        add_text(f"ln_final.{kind}", f"text_model.final_layer_norm.{kind}")
    return lines


def write(name, number):
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    generator = torch.Generator().manual_seed(number)
    unet = UNet2DConditionModel(**unet_configuration(name))
    encoder = CLIPTextModel(text_configuration(name))
    vae = AutoencoderKL(**vae_configuration())
    for part, model in (("unet", unet), ("text_encoder", encoder), ("vae", vae)):
        model.eval()
        randomize(model, generator)
        model.half().save_pretrained(folder / part)
        model.double()
    # transformers 5 leaves the outer name out, which files of the field have.
    weights = folder / "text_encoder/model.safetensors"
    save_file({text_name(key): tensor for key, tensor in load_file(weights).items()}, weights,
              {"format": "pt"})
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
