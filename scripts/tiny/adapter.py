"""An adapter on the small pipeline, as LyCORIS makes it."""

import torch
from safetensors.torch import load_file

from clients import training


@torch.no_grad()
def apply(pipeline, path, multiplier=1.0):
    """Adds to the pipeline's weights what the modules that lycoris-lora makes of the file add in
    their forward. Returns the number of tensors changed, and of modules its loader cannot make."""
    state = {key: value.float() for key, value in load_file(path).items()}
    unet, text_encoder = pipeline.unet, pipeline.text_encoder
    found, by_hand = training.loaded(state, unet, text_encoder)
    weights = {"unet": dict(unet.named_parameters()),
               "text_encoder": dict(text_encoder.named_parameters(prefix="text_model"))}
    for name, change in found.items():
        component, key = name.split("/")
        weights[component][key] += multiplier * change
    return len(found), by_hand
