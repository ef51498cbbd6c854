"""What differs between the families of small pipelines: models, conditions and folders."""

import json
import pathlib

import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from . import pictures, tokens


class SD1:
    """Stable Diffusion 1: one text encoder, its last hidden states after the final norm."""
    scale = 0.18215
    pipeline = StableDiffusionPipeline
    encoders = ("text_encoder",)
    tokenizers = ("tokenizer",)
    pads = (None,)
    """What each tokenizer fills up with, where it is not the end."""
    extras = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    has_sizes = False
    steps = 3000

    @staticmethod
    def untrained():
        width = 16  # at CLIP's vocabulary the token embedding is nearly all of the encoder
        text_encoder = CLIPTextModel(CLIPTextConfig(
            hidden_size=width, intermediate_size=2 * width, num_hidden_layers=2,
            num_attention_heads=2))
        pack(text_encoder, 0.02)
        unet = UNet2DConditionModel(
            sample_size=pictures.SIZE // 8, block_out_channels=(32, 48, 48, 32), norm_num_groups=8,
            attention_head_dim=4, cross_attention_dim=width)
        return text_encoder, unet

    @staticmethod
    def conditions(encoders, rows, sizes=None):
        return {"encoder_hidden_states": encoders[0](rows[0]).last_hidden_state}


class SDXL:
    """Stable Diffusion XL: the last but one hidden states of two text encoders side by side, without
    their final norms; the projection of the second at the end's token, and sizes of the picture."""
    scale = 0.13025
    pipeline = StableDiffusionXLPipeline
    encoders = ("text_encoder", "text_encoder_2")
    tokenizers = ("tokenizer", "tokenizer_2")
    pads = (None, "!")
    extras = {"force_zeros_for_empty_prompt": False, "add_watermarker": False}
    """Captions that are empty are encoded like others, as sd-scripts does."""
    has_sizes = True
    steps = 2500

    @staticmethod
    def untrained():
        first, second = 8, 16
        encoders = (
            CLIPTextModel(CLIPTextConfig(
                hidden_size=first, intermediate_size=4 * first, num_hidden_layers=2,
                num_attention_heads=2, projection_dim=second)),
            CLIPTextModelWithProjection(CLIPTextConfig(
                hidden_size=second, intermediate_size=4 * second, num_hidden_layers=3,
                num_attention_heads=2, hidden_act="gelu", projection_dim=second)))
        for encoder in encoders:  # the UNet sees them as they are, without a norm behind
            pack(encoder, 0.2)
        unet = UNet2DConditionModel(
            sample_size=pictures.SIZE // 8, block_out_channels=(24, 32, 48), norm_num_groups=8,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            transformer_layers_per_block=(1, 1, 2), attention_head_dim=(3, 4, 6),
            use_linear_projection=True, cross_attention_dim=first + second,
            addition_embed_type="text_time", addition_time_embed_dim=256,
            projection_class_embeddings_input_dim=6 * 256 + second)
        return *encoders, unet

    @staticmethod
    def conditions(encoders, rows, sizes=None):
        """Sizes `[n, 6]`: height and width of the picture, top and left of what is cut out, height
        and width of that; by default those of a picture that is shown whole."""
        both = torch.cat(list(rows), 1)
        unique, places = both.unique(dim=0, return_inverse=True)
        found = [encoder(part, output_hidden_states=True)
                 for encoder, part in zip(encoders, unique.chunk(2, 1))]
        context = torch.cat([part.hidden_states[-2] for part in found], -1)
        if sizes is None:
            sizes = pictures.WHOLE.expand(len(both), 6)
        return {"encoder_hidden_states": context[places], "added_cond_kwargs": {
            "text_embeds": found[1].text_embeds[places], "time_ids": sizes}}


FAMILIES = {"sd1": SD1, "sdxl": SDXL}


@torch.no_grad()
def pack(encoder, size):
    """Token embeddings as signs: rows of words that no caption has stay as they are, and signs
    pack well."""
    encoder.get_input_embeddings().weight.sign_().mul_(size)


def family(folder):
    """Of a pipeline's folder."""
    name = json.loads((pathlib.Path(folder) / "model_index.json").read_text())["_class_name"]
    return next(found for found in FAMILIES.values() if found.pipeline.__name__ == name)


def of(pipeline):
    return next(found for found in FAMILIES.values() if type(pipeline) is found.pipeline)


def encoders(pipeline):
    """The text encoders of a pipeline by the names of their components, in order."""
    return {name: getattr(pipeline, name) for name in of(pipeline).encoders}


def conditions(pipeline, captions):
    """What the UNet of a pipeline is told beside the time, of pictures that are shown whole."""
    rows = [tokens.rows(getattr(pipeline, name), captions) for name in of(pipeline).tokenizers]
    return of(pipeline).conditions([*encoders(pipeline).values()], rows)
