"""An adapter on a small pipeline, as LyCORIS makes it."""

import torch
from safetensors.torch import load_file

from fixtures.training.tiny import families

from . import training


@torch.no_grad()
def apply(pipeline, path, multiplier=1.0):
    """Adds to the pipeline's weights what the modules that lycoris-lora makes of the file add in
    their forward. Returns the number of tensors changed, and of modules its loader cannot make."""
    state = {key: value.float() for key, value in load_file(path).items()}
    encoders = families.encoders(pipeline)
    found, by_hand = training.loaded(state, pipeline.unet, *encoders.values())
    weights = {name: dict(model.named_parameters(prefix=""
                          if name == "unet" or hasattr(model, "text_model") else "text_model"))
               for name, model in {"unet": pipeline.unet, **encoders}.items()}
    for name, change in found.items():
        component, key = name.split("/")
        weights[component][key] += multiplier * change
    return len(found), by_hand
