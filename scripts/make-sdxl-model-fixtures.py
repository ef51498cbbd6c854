#!/usr/bin/env python3
"""Writes Fixtures/training/models/tiny-sdxl: a tiny SDXL pipeline with random weights, and what diffusers,
transformers and sd-scripts compute with it.

usage: make-sdxl-model-fixtures.py SD_SCRIPTS, a checkout of kohya-ss/sd-scripts (48d368fa). Its own classes make
rows of the tokens of captions, join the states of the rows, pool, and embed sizes; nothing of it is
copied. Needs torch, diffusers, transformers, safetensors. As in scripts/make-model-fixtures.py the weights are f16 and
the computation is in double precision, but for sd-scripts' embedding of sizes, which is in f32.
"""
import json
import math
import pathlib
import shutil
import sys
import types

import diffusers
import torch
import transformers
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from fixtures import sd_scripts
from fixtures.tiny_models import (BEGIN, END, OUT, VOCABULARY, SingleFile, family_keys, inverse, name_as_files_do,
                                  nhwc, random_values, randomize, stored, vae_configuration, vae_golden)

CHECKOUT = pathlib.Path(sys.argv[1])
NAME = "tiny-sdxl"
# sd-scripts takes layer 11 of the first encoder, whatever it has, and the last but one of the second.
WIDTHS, LAYERS, POOLED = (16, 32), (12, 3), 32
SIZE_WIDTH = 256
LENGTHS = {75: (5, 75, 90), 150: (40, 75, 170), 225: (100, 150, 240)}
"""Tokens that captions have, by the most that are taken: short, to the end of a row, and cut off."""


def unet_configuration():
    return dict(
        sample_size=16, in_channels=4, out_channels=4, layers_per_block=2, cross_attention_dim=sum(WIDTHS),
        block_out_channels=(8, 16, 32), attention_head_dim=[1, 2, 4], norm_num_groups=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=[1, 1, 2], use_linear_projection=True,
        addition_embed_type="text_time", addition_time_embed_dim=SIZE_WIDTH,
        projection_class_embeddings_input_dim=POOLED + 6 * SIZE_WIDTH)


def text_configuration(number):
    return CLIPTextConfig(
        vocab_size=VOCABULARY, hidden_size=WIDTHS[number], intermediate_size=4 * WIDTHS[number],
        num_hidden_layers=LAYERS[number], num_attention_heads=(2, 4)[number], max_position_embeddings=77,
        projection_dim=POOLED, hidden_act=("quick_gelu", "gelu")[number],
        bos_token_id=BEGIN, eos_token_id=END, pad_token_id=(END, 0)[number])


class Tokenizer:
    """CLIP's marks around a caption that is a list of tokens already."""

    model_max_length, bos_token_id, eos_token_id = 77, BEGIN, END

    def __init__(self, padding):
        self.pad_token_id = padding

    def __call__(self, caption, padding, truncation, max_length, return_tensors):
        tokens = [BEGIN, *caption[:max_length - 2], END]
        tokens += [self.pad_token_id] * (max_length - len(tokens))
        return types.SimpleNamespace(input_ids=torch.tensor([tokens]))


def text_golden(encoders, generator):
    """Rows of tokens `[captions, rows, 77]`, states `[captions, 75 rows + 2, width]` and pooled vectors."""
    module = sd_scripts.module(CHECKOUT, "library.strategy_sdxl")
    rows = module.SdxlTokenizeStrategy.__new__(module.SdxlTokenizeStrategy)
    rows.tokenizer1, rows.tokenizer2 = Tokenizer(END), Tokenizer(0)
    encoding = module.SdxlTextEncodingStrategy()
    values = {}
    for longest, lengths in LENGTHS.items():
        rows.max_length = longest + 2
        captions = [torch.randint(1, BEGIN, (length,), generator=generator).tolist() for length in lengths]
        tokens = rows.tokenize(captions)
        states1, states2, pooled = encoding.encode_tokens(rows, encoders, tokens)
        assert states1.shape == (len(lengths), longest + 2, WIDTHS[0])
        values |= {f"te1.tokens_{longest}": tokens[0], f"te2.tokens_{longest}": tokens[1],
                   f"te1.states_{longest}": states1, f"te2.states_{longest}": states2,
                   f"te2.pooled_{longest}": pooled}
    check_states(encoders, values)
    return values


def check_states(encoders, values):
    """One row is what transformers gives: the last layer but one without the final norm, the projection."""
    for number, encoder in enumerate(encoders):
        tokens, states = (values[f"te{number + 1}.{part}_75"] for part in ("tokens", "states"))
        found = []
        layers = getattr(encoder, "text_model", encoder).encoder.layers
        assert len(layers) == LAYERS[number]
        hook = layers[-2].register_forward_hook(
            lambda _, __, output: found.append(output[0] if isinstance(output, tuple) else output))
        output = encoder(tokens[:, 0])
        hook.remove()
        assert torch.equal(found[0], states)
    assert torch.equal(output.text_embeds, values["te2.pooled_75"])


def size_vectors(sizes):
    namespace = {"torch": torch, "math": math}
    for name in ("timestep_embedding", "get_timestep_embedding", "get_size_embeddings"):
        embed = sd_scripts.cut(CHECKOUT / "library/sdxl_train_util.py", name, namespace)
    return embed(*sizes.split(2, dim=1), "cpu")


def unet_golden(unet, random):
    # Height and width of the image, top and left of the crop, height and width of the bucket.
    sizes = torch.tensor([[1024, 768, 0, 64, 1152, 896], [333, 500, 17, 0, 832, 1216]])
    latents, context, pooled = random(2, 4, 16, 24), random(2, 7, sum(WIDTHS)), random(2, POOLED)
    seed, timesteps = random(2, 4, 16, 24), torch.tensor([17, 801])
    inputs = latents, context, pooled
    for value in inputs:
        value.requires_grad_()
    vectors = []

    def keep(_, arguments):
        vectors.append(arguments[0])
        arguments[0].retain_grad()

    hook = unet.add_embedding.register_forward_pre_hook(keep)
    output = unet(latents, timesteps, context,
                  added_cond_kwargs={"text_embeds": pooled, "time_ids": sizes}).sample
    hook.remove()
    output.backward(seed)
    embedded = size_vectors(sizes)
    assert (vectors[0][:, :POOLED] == pooled).all()
    assert (vectors[0][:, POOLED:] == embedded).all()
    original, crop, target = sizes.split(2, dim=1)
    return {
        "sizes.original": original, "sizes.crop": crop, "sizes.target": target, "sizes.embedded": embedded,
        "unet.latents": nhwc(latents), "unet.timesteps": timesteps, "unet.context": context,
        "unet.pooled": pooled, "unet.sizes": sizes, "unet.vector": vectors[0],
        "unet.output": nhwc(output), "unet.seed": nhwc(seed),
        "unet.latents.gradient": nhwc(latents.grad), "unet.context.gradient": context.grad,
        "unet.pooled.gradient": pooled.grad, "unet.vector.gradient": vectors[0].grad}


def single_file(unet, encoders, vae):
    """As sd_xl_base has it."""
    file = SingleFile()
    file.add_unet(unet, inverse(
        lambda marked: convert_ldm_unet_checkpoint(
            marked, {"layers_per_block": 2, "addition_embed_type": "text_time"}),
        family_keys("sdxl.sgm", "model.diffusion_model.")))
    file.add_clip("conditioner.embedders.0.transformer.", "text_encoder", encoders[0])
    file.add_open_clip("conditioner.embedders.1.model.", "text_encoder_2", encoders[1], range(LAYERS[1]))
    file.add_vae(vae, "sdxl.sgm")
    return file.lines


def main():
    folder = OUT / NAME
    shutil.rmtree(folder, ignore_errors=True)
    generator = torch.Generator().manual_seed(3)
    unet = UNet2DConditionModel(**unet_configuration())
    encoders = [CLIPTextModel(text_configuration(0)), CLIPTextModelWithProjection(text_configuration(1))]
    vae = AutoencoderKL(**vae_configuration(0.13025))
    parts = {"unet": unet, "text_encoder": encoders[0], "text_encoder_2": encoders[1], "vae": vae}
    for part, model in parts.items():
        model.eval()
        randomize(model, generator)
        model.half().save_pretrained(folder / part)
        model.double()
        if part.startswith("text"):
            name_as_files_do(folder / part / "model.safetensors")
    DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", prediction_type="epsilon",
                  clip_sample=False).save_pretrained(folder / "scheduler")
    index = {"_class_name": "StableDiffusionXLPipeline", "_diffusers_version": diffusers.__version__,
             "scheduler": ["diffusers", "DDPMScheduler"],
             "text_encoder": ["transformers", "CLIPTextModel"],
             "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
             "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"]}
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
    random = random_values(generator)
    values = unet_golden(unet, random) | text_golden(encoders, generator) | vae_golden(vae, random)
    versions = {"versions": ", ".join(
        f"{module.__name__} {module.__version__}" for module in (torch, diffusers, transformers))
        + ", sd-scripts 48d368fa"}
    save_file(stored(values), OUT / f"{NAME}.golden.safetensors", versions)
    (OUT / f"{NAME}.single-file.txt").write_text("".join(single_file(unet, encoders, vae)))
    for path in OUT.rglob("*.safetensors"):
        path.chmod(0o644)
    for part, model in parts.items():
        print(NAME, part, sum(p.numel() for p in model.parameters()))


main()
