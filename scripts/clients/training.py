"""What LyCORIS trains with: the changes its modules make in their forward. Its merge_to cannot be
the measure: it scales LoHa and LoKr twice."""

import torch
from lycoris import kohya
from lycoris.modules import get_module, make_module
from lycoris.modules.ia3 import IA3Module
from lycoris.modules.locon import LoConModule
from lycoris.modules.loha import LohaModule
from lycoris.modules.lokr import LokrModule

from fixtures.families import sdxl_names

from .model import TextEncoder
from .tools import Failure

RANK_AXES = {LoConModule: ("lora_down.weight",), LohaModule: ("hada_w1_b",),
             LokrModule: ("lokr_w2_b", "lokr_w1_b")}
TUCKER = {"lora_mid.weight", "hada_t1", "lokr_t2"}


def paths(unet, *text_encoders):
    """`component/path` and the layer of every adapter name. With two text encoders, as Stable
    Diffusion XL has them, names count them."""
    models = [("unet", "unet", unet)]
    for number, encoder in enumerate(text_encoders, 1):
        models.append((f"te{number}" if len(text_encoders) > 1 else "te",
                       f"text_encoder_{number}" if number > 1 else "text_encoder", encoder))
    return {f"lora_{short}_{path}".replace(".", "_"): (f"{component}/{path}", layer)
            for short, component, model in models for path, layer in model.named_modules()}


def in_diffusers_names(state, unet):
    """Tensors of an adapter of Stable Diffusion XL: kohya names its UNet as the original does."""
    names = {name: f"lora_unet_{path}".replace(".", "_")
             for path, name in sdxl_names.adapter_names(unet).items()}
    renamed = {}
    for key, value in state.items():
        name, _, suffix = key.partition(".")
        renamed[f"{names.get(name, name)}.{suffix}"] = value
    return renamed


def change(module):
    """What a module's forward adds to weight and bias of its layer: the arguments of its last
    operation, which gets the change alone."""
    passed = {}

    def record(x, weight=None, bias=None, **_):
        passed.update(weight=weight, bias=bias)
        return torch.zeros(())

    module.op, module.org_forward = record, lambda x: torch.zeros(())
    module(torch.zeros(()))
    if not getattr(module, "is_diff", True):  # `full` in training holds the sum, not the change
        passed["weight"] = passed["weight"] - module.org_weight
        if passed["bias"] is not None:
            passed["bias"] = passed["bias"] - module.org_bias[0]
    return passed


def changes(modules, places):
    """The changes of many modules as `component/key`, without those that are zero."""
    found = {}
    for module in modules:
        for suffix, delta in change(module).items():
            if delta is not None and delta.any():
                layer = getattr(places[module.lora_name][1], suffix, delta)
                found[f"{places[module.lora_name][0]}.{suffix}"] = delta.reshape(layer.shape)
    return found


def shapes(factors):
    return {suffix: tensor.numel() for suffix, tensor in factors.items()}


def is_loadable(state, name, layer):
    """Whether LyCORIS' loader makes a module of these tensors, and uses all of them as they are."""
    algorithm, values = get_module(state, name)
    try:
        module = make_module(algorithm, values, name, layer)
    except Exception:  # whatever it raises, it does not load
        return False
    if algorithm.name == "full":
        return True
    start = f"{name}."
    stored = {key.removeprefix(start): value for key, value in state.items()
              if key.startswith(start)}
    return shapes(stored) == shapes(module.state_dict())


def by_hand(state, name, layer):
    """A LyCORIS module for tensors its loader fails on, which infers options from shapes: the class
    with options given, every parameter replaced."""
    algorithm, _ = get_module(state, name)
    factors = {key.removeprefix(f"{name}."): value for key, value in state.items()
               if key.startswith(f"{name}.")}
    if algorithm is IA3Module:
        module = IA3Module(name, layer, train_on_input=bool(factors["on_input"]))
    elif algorithm in RANK_AXES:
        rank = next((len(factors[key]) for key in RANK_AXES[algorithm] if key in factors), 1)
        scale = factors.get("dora_scale")
        module = algorithm(
            name, layer, 1.0, rank, float(factors["alpha"]), weight_decompose=scale is not None,
            wd_on_out=scale is None or scale.shape[0] == layer.weight.shape[0],
            use_tucker=bool(TUCKER & factors.keys()))
        if algorithm is LokrModule:
            module.use_w1, module.use_w2 = "lokr_w1" in factors, "lokr_w2" in factors
            module.tucker = "lokr_t2" in factors
            module.scale = 1.0 if module.use_w1 and module.use_w2 else (
                float(factors["alpha"]) / rank)
    else:
        raise Failure(f"{name}: LyCORIS does not load it as {algorithm and algorithm.name}")
    for suffix, tensor in factors.items():
        if suffix in ("alpha", "on_input"):
            continue
        owner, _, leaf = suffix.rpartition(".")
        target = module.get_submodule(owner)
        target.__dict__.pop(leaf, None)
        setattr(target, leaf, torch.nn.Parameter(tensor))
    return module


def loaded(state, unet, *text_encoders):
    """The changes of a whole file, and how many of its modules had to be made by hand. With two text
    encoders the file is one of Stable Diffusion XL."""
    encoders = [encoder if hasattr(encoder, "text_model") else TextEncoder(encoder)
                for encoder in text_encoders]
    if len(encoders) > 1:
        state = in_diffusers_names(state, unet)
    places = paths(unet, *encoders)
    names = {key.split(".")[0] for key in state}
    if not names <= places.keys():
        raise Failure(f"no layer for {sorted(names - places.keys())[0]}")
    loadable = {name for name in names if is_loadable(state, name, places[name][1])}
    part = {key: value for key, value in state.items() if key.split(".")[0] in loadable}
    kohya.LycorisNetworkKohya.apply_preset({"unet_target_module": ["Transformer2DModel"]})
    network, _ = kohya.create_network_from_weights(
        1.0, "", None, encoders if len(encoders) > 1 else encoders[0], unet, part)
    modules = network.unet_loras + network.text_encoder_loras
    if {module.lora_name for module in modules} != loadable:
        raise Failure("the kohya loader leaves modules out that it can make")
    modules += [by_hand(state, name, places[name][1]) for name in sorted(names - loadable)]
    return changes(modules, places), len(names - loadable)
