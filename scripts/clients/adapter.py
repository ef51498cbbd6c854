"""An adapter on a small pipeline, as LyCORIS makes it."""

import torch
from lycoris.modules import get_module, make_module
from safetensors.torch import load_file

from fixtures.training.tiny import families, flux

from . import training
from .model import TextEncoder
from .tools import Failure


@torch.no_grad()
def apply(pipeline, path, multiplier=1.0):
    """Adds to the pipeline's weights what the modules that lycoris-lora makes of the file add in
    their forward. Returns the number of tensors changed, and of modules its loader cannot make."""
    state = {key: value.float() for key, value in load_file(path).items()}
    if families.of(pipeline) is flux.Flux:
        return apply_to_flux(pipeline, state, multiplier)
    encoders = families.encoders(pipeline)
    found, by_hand = training.loaded(state, pipeline.unet, *encoders.values())
    weights = {name: dict(model.named_parameters(prefix=""
                          if name == "unet" or hasattr(model, "text_model") else "text_model"))
               for name, model in {"unet": pipeline.unet, **encoders}.items()}
    for name, change in found.items():
        component, key = name.split("/")
        weights[component][key] += multiplier * change
    return len(found), by_hand


def apply_to_flux(pipeline, state, multiplier):
    """Its file names the layers of the checkpoint, where queries, keys and values are one: they are
    changed there, and diffusers' converter makes its own of them."""
    names = flux.Transformer()
    encoder = TextEncoder(pipeline.clip)
    weights = {"lora_unet": names.native(pipeline.transformer.state_dict()),
               "lora_te1": dict(encoder.named_parameters())}
    models = {"lora_unet": layers(weights["lora_unet"]), "lora_te1": dict(encoder.named_modules())}
    places = {f"{prefix}_{path}".replace(".", "_"): (f"{prefix}/{path}", layer)
              for prefix, found in models.items() for path, layer in found.items()}
    modules, by_hand = [], 0
    for name in sorted({key.split(".")[0] for key in state}):
        if name not in places:
            raise Failure(f"no layer for {name}")
        if training.is_loadable(state, name, places[name][1]):
            algorithm, values = get_module(state, name)
            modules.append(make_module(algorithm, values, name, places[name][1]))
        else:
            modules.append(training.by_hand(state, name, places[name][1]))
            by_hand += 1
    found = training.changes(modules, places)
    for name, change in found.items():
        prefix, key = name.split("/")
        weights[prefix][key] += multiplier * change
    pipeline.transformer.load_state_dict(names.back(weights["lora_unet"]))
    return len(found), by_hand


def layers(weights):
    """A linear layer for each that a checkpoint has, by its path."""
    found = {}
    for key, weight in weights.items():
        if weight.ndim == 2:
            path = key.removesuffix(".weight")
            rows, columns = weight.shape
            found[path] = torch.nn.Linear(columns, rows, bias=f"{path}.bias" in weights)
            found[path].load_state_dict({
                kind: weights[f"{path}.{kind}"] for kind in ("weight", "bias") if f"{path}.{kind}" in weights})
    return found
