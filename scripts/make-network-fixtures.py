"""Golden values of training adapters, from LyCORIS itself: Fixtures/training/network.

One layer, one module of LyCORIS on it, ten steps of AdamW on a squared error. For every case the file
holds the layer, its input and target, the first factors, the output, the loss, the gradient of every
factor, what ten steps make of them, and the state dictionary that LyCORIS would save then. Images are
stored as [batch, height, width, channels].

Then the same with whole networks on tiny pipelines of Fixtures/training/models, SD1 and SDXL: UNet and text
encoders of diffusers and transformers, LyCORIS' kohya network made from the text of network_args,
on layers of every kind in all models, and ten steps of AdamW on the error of the predicted noise.

usage: make-network-fixtures.py [layers] [sd1] [sdxl], default all. Run with OMP_NUM_THREADS=1; torch 2.15,
diffusers 0.42.1, transformers 5.23, lycoris-lora 4.1.3, and the zstd command.
"""

import copy
import json
import random
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from lycoris.modules.boft import ButterflyOFTModule
from lycoris.modules.diag_oft import DiagOFTModule
from lycoris.modules.dylora import DyLoraModule
from lycoris.modules.full import FullModule
from lycoris.modules.glora import GLoRAModule
from lycoris.modules.ia3 import IA3Module
from lycoris.modules.locon import LoConModule
from lycoris.modules.loha import LohaModule
from lycoris.modules.lokr import LokrModule
from lycoris.modules.norms import NormModule
from lycoris.modules.tlora import (
    TLoraModule,
    clear_timestep_mask,
    compute_timestep_mask,
    set_timestep_mask,
)

from fixtures.network_pipelines import SD1, SDXL

TARGET = Path(__file__).parent.parent / "Fixtures/training/network"
MODULES = {
    "lora": LoConModule,
    "loha": LohaModule,
    "lokr": LokrModule,
    "ia3": IA3Module,
    "dylora": DyLoraModule,
    "glora": GLoRAModule,
    "full": FullModule,
    "diag-oft": DiagOFTModule,
    "boft": ButterflyOFTModule,
    "tlora": TLoraModule,
    "norm": NormModule,
}
RATE, DECAY, STEPS = 1e-2, 0.05, 10

# Arguments of network_args and what the modules call them.
NAMES = {"dora_wd": "weight_decompose", "wd_on_output": "wd_on_out"}


def cases():
    """(name, algorithm, layer, rank, alpha, network_args)"""
    out = []

    def add(name, algorithm, layer, rank=4, alpha=2.0, **arguments):
        out.append((name, algorithm, layer, rank, alpha, arguments))

    for layer in ("linear", "conv", "conv-stride", "conv-1x1"):
        for algorithm in ("lora", "loha", "lokr", "glora"):
            # LyCORIS 4.1.3 rebuilds LoRA's and GLoRA's product on a convolution too.
            add(f"{algorithm}-{layer}", algorithm, layer)
            add(f"{algorithm}-{layer}-bypass", algorithm, layer, bypass_mode=True)
    for layer in ("linear", "conv"):
        for algorithm in ("lora", "loha", "lokr"):
            add(f"{algorithm}-{layer}-dora", algorithm, layer, dora_wd=True)
            add(f"{algorithm}-{layer}-dora-in", algorithm, layer, dora_wd=True, wd_on_output=False)
            add(f"{algorithm}-{layer}-scalar", algorithm, layer, use_scalar=True)
            # Where LoKr has no product of low rank, LyCORIS scales by what no reader of the file knows.
            form = {"rank": 2, "factor": 2} if algorithm == "lokr" else {}
            add(f"{algorithm}-{layer}-rs", algorithm, layer, rs_lora=True, alpha=1.0, **form)
        add(f"glora-{layer}-scalar", "glora", layer, use_scalar=True)
        add(f"full-{layer}", "full", layer)
        add(f"diag-oft-{layer}", "diag-oft", layer)
        add(f"diag-oft-{layer}-bounded", "diag-oft", layer, constraint=0.02, rescaled=True)
        add(f"boft-{layer}", "boft", layer)
        add(f"boft-{layer}-bounded", "boft", layer, constraint=0.02, rescaled=True)
        add(f"ia3-{layer}", "ia3", layer)
        add(f"ia3-{layer}-input", "ia3", layer, train_on_input=True)
    for algorithm in ("lora", "loha", "lokr"):
        add(f"{algorithm}-conv-tucker", algorithm, "conv", rank=1 if algorithm == "lokr" else 3, use_tucker=True)
        add(
            f"{algorithm}-conv-tucker-bypass", algorithm, "conv", rank=1 if algorithm == "lokr" else 3,
            use_tucker=True, bypass_mode=True)
    add("lokr-conv-factored", "lokr", "conv", rank=1)
    add("lokr-conv-factored-bypass", "lokr", "conv", rank=1, bypass_mode=True)
    add("lokr-linear-factored", "lokr", "linear", rank=1)
    add("lokr-linear-factored-bypass", "lokr", "linear", rank=1, bypass_mode=True)
    add("lokr-linear-both", "lokr", "linear", rank=1, decompose_both=True)
    add("lokr-linear-factor", "lokr", "linear", rank=2, factor=2)
    add("lokr-linear-factor-bypass", "lokr", "linear", rank=2, factor=2, bypass_mode=True)
    add("lokr-linear-full", "lokr", "linear", full_matrix=True)
    add("lokr-linear-unbalanced", "lokr", "linear", rank=1, unbalanced_factorization=True)
    add("ia3-linear-bypass", "ia3", "linear-plain", bypass_mode=True)
    add("dylora-linear", "dylora", "linear", rank=6, block_size=2)
    add("dylora-conv", "dylora", "conv", rank=6, block_size=2)
    add("tlora-linear", "tlora", "linear")
    add("tlora-linear-bypass", "tlora", "linear", bypass_mode=True)
    add("tlora-linear-timestep", "tlora", "linear", timestep=600)
    add("norm-layer", "norm", "layer-norm")
    add("norm-group", "norm", "group-norm")
    return out


def make_layer(kind):
    layers = {
        "linear": lambda: torch.nn.Linear(24, 16),
        "linear-plain": lambda: torch.nn.Linear(24, 16, bias=False),
        "conv": lambda: torch.nn.Conv2d(12, 16, 3, padding=1),
        "conv-stride": lambda: torch.nn.Conv2d(12, 16, 3, stride=2, padding=1),
        "conv-1x1": lambda: torch.nn.Conv2d(12, 16, 1),
        "layer-norm": lambda: torch.nn.LayerNorm(16),
        "group-norm": lambda: torch.nn.GroupNorm(4, 16, eps=1e-5),
    }
    return layers[kind]()


def make_input(kind, width):
    if kind in ("linear", "linear-plain", "layer-norm"):
        return torch.randn(1 if kind == "layer-norm" else 2, 5, width)
    return torch.randn(2, width, 6, 4)


def stored(tensor):
    """Channels last."""
    return (tensor.permute(0, 2, 3, 1) if tensor.dim() == 4 else tensor).detach().contiguous().clone()


def run(case, tensors):
    name, algorithm, kind, rank, alpha, arguments = case
    torch.manual_seed(sum(map(ord, name)))
    random.seed(1)
    layer = make_layer(kind)
    with torch.no_grad():
        for parameter in layer.parameters():
            if kind in ("layer-norm", "group-norm"):
                parameter.add_(0.1 * torch.randn_like(parameter))
    layer.requires_grad_(False)
    width = layer.weight.shape[0] if kind in ("layer-norm", "group-norm") else layer.weight.shape[1]
    x = make_input(kind, width)
    options = {NAMES.get(key, key): value for key, value in arguments.items() if key != "timestep"}
    if algorithm == "norm":
        module = NormModule("module", layer, 1.0)
    else:
        module = MODULES[algorithm]("module", layer, 1.0, rank, alpha, **options)

    def put(key, tensor):
        tensors[f"{name}/{key}"] = tensor.detach().contiguous().clone()

    put("layer.weight", layer.weight)
    if layer.bias is not None:
        put("layer.bias", layer.bias)
    module.apply_to()
    module.train()
    parameters = dict(module.named_parameters())
    with torch.no_grad():
        for key, parameter in parameters.items():
            scale = 0.02 if key == "weight" and algorithm == "full" else 0.2
            parameter.add_(scale * torch.randn_like(parameter))
    for key, parameter in parameters.items():
        put(f"start.{key}", parameter)

    def forward():
        # Blocks of DyLoRA by turns.
        return layer(x)

    blocks = [step % 3 for step in range(STEPS)]
    real = random.randint
    if "timestep" in arguments:
        set_timestep_mask(compute_timestep_mask(arguments["timestep"], 1000, rank))
    target = None
    optimizer = torch.optim.AdamW(parameters.values(), lr=RATE, weight_decay=DECAY)
    losses = []
    for step in range(STEPS):
        random.randint = lambda low, high, block=blocks[step]: block
        output = forward()
        if target is None:
            target = output.detach() + 0.5 * torch.randn_like(output)
            put("input", stored(x))
            put("target", stored(target))
            put("output", stored(output))
        loss = torch.nn.functional.mse_loss(output, target)
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            for key, parameter in parameters.items():
                if parameter.grad is not None:
                    put(f"gradient.{key}", parameter.grad)
        losses.append(loss.item())
        optimizer.step()
    random.randint = real
    clear_timestep_mask()
    for key, parameter in parameters.items():
        put(f"end.{key}", parameter)
    for key, value in module.state_dict().items():
        put(f"saved.{key}", torch.as_tensor(value))
    return {
        "name": name, "algorithm": algorithm, "layer": kind, "rank": rank, "alpha": alpha,
        "arguments": {key: str(value) for key, value in arguments.items()},
        "losses": losses, "blocks": blocks if algorithm == "dylora" else [],
    }


MODEL_RATE, MODEL_DECAY = 1e-3, 0.01


def model_cases():
    """(name, network_args)"""
    bypass = {"bypass_mode": "True"}
    return [
        ("lora", {"algo": "lora", "bypass_mode": "False"}),
        ("lora-bypass", {"algo": "lora", **bypass}),
        ("lokr-bypass", {"algo": "lokr", "factor": "4", **bypass}),
        ("loha", {"algo": "loha"}),
        ("diag-oft", {"algo": "diag-oft", "constraint": "0.01", "rescaled": "True"}),
        ("lora-dora", {"algo": "lora", "dora_wd": "True"}),
        ("glora", {"algo": "glora"}),
        ("boft", {"algo": "boft"}),
        ("full", {"algo": "full"}),
        ("ia3", {"algo": "ia3"}),
        ("lora-norm", {"algo": "lora", "train_norm": "True"}),
        ("tlora", {"algo": "tlora"}),
        ("lokr-both-dora", {"algo": "lokr", "decompose_both": "True", "dora_wd": "True"}),
        ("lora-scalar", {"algo": "lora", "use_scalar": "True", "conv_dim": "1", "conv_alpha": "0.5"}),
        ("lora-tucker-rs", {"algo": "lora", "use_tucker": "True", "rs_lora": "True"}),
        ("loha-bypass", {"algo": "loha", **bypass}),
        ("glora-bypass", {"algo": "glora", **bypass}),
    ]


def sdxl_cases():
    bypass = {"bypass_mode": "True"}
    return model_cases() + [
        ("lokr", {"algo": "lokr", "factor": "4"}), ("tlora-bypass", {"algo": "tlora", **bypass}),
    ]


def without_narrowing(forward):
    """LyCORIS inverts OFT's I - Q behind a `.float()` of its own."""
    def run(*arguments, **options):
        narrow, torch.Tensor.float = torch.Tensor.float, torch.Tensor.double
        try:
            return forward(*arguments, **options)
        finally:
            torch.Tensor.float = narrow
    return run


def run_model(case, pipeline, tensors):
    from lycoris import kohya

    name, arguments = case
    torch.manual_seed(sum(map(ord, name)) + pipeline.SEEDS.get(name, 0))
    pipeline = copy.deepcopy(pipeline)
    kohya.PRESET["parity"] = {
        "enable_conv": arguments["algo"] != "tlora", "unet_target_module": [],
        "unet_target_name": pipeline.lycoris_unet_names, "text_encoder_target_module": [],
        "text_encoder_target_name": pipeline.lycoris_text_names, "module_algo_map": {},
        "name_algo_map": {}, "use_fnmatch": False, "exclude_name": [],
    }
    rank = 4 if arguments["algo"] in ("diag-oft", "boft") else 2
    encoders = pipeline.lycoris_encoders
    network = kohya.create_network(
        1.0, rank, 1.0, None, encoders, pipeline.unet, warn_on_unmatched=False, preset="parity", **arguments)
    if pipeline.IS_DOUBLE:
        for module in network.loras:
            module.forward = without_narrowing(module.forward)
    network.apply_to(encoders, pipeline.unet, True, True)
    if pipeline.IS_DOUBLE or arguments["algo"] == "tlora":
        # Gradients of T-LoRA's singular values nearly cancel: single precision leaves too little of them.
        for model in (pipeline.unet, *pipeline.encoders, network):
            model.double()
        pipeline.inputs = {
            key: value.double() if value.is_floating_point() else value
            for key, value in pipeline.inputs.items()
        }
    network.train()
    parameters = {}
    for module in network.loras:
        for key, parameter in module.named_parameters():
            parameters[f"{pipeline.name(module.lora_name)}.{key}"] = parameter
    with torch.no_grad():
        for key, parameter in parameters.items():
            scale = 0.01 if arguments["algo"] == "full" else 0.1
            parameter.add_(scale * torch.randn_like(parameter))
            if pipeline.IS_DOUBLE:
                parameter.copy_(parameter.float())
            tensors[f"{name}/start.{key}"] = parameter.detach().float().contiguous().clone()
    optimizer = torch.optim.AdamW(parameters.values(), lr=MODEL_RATE, weight_decay=MODEL_DECAY)
    losses = []
    for step in range(STEPS):
        loss = torch.nn.functional.mse_loss(pipeline.output(), pipeline.inputs["noise"])
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            for key, parameter in parameters.items():
                tensors[f"{name}/gradient.{key}"] = parameter.grad.float().contiguous().clone()
        losses.append(loss.item())
        optimizer.step()
    for key, parameter in parameters.items():
        tensors[f"{name}/end.{key}"] = parameter.detach().float().contiguous().clone()
    return {
        "name": name, "rank": rank, "losses": losses, "modules": len(network.loras),
        "arguments": [f"{key}={value}" for key, value in arguments.items()],
    }


def write_models(pipeline, cases, target, compressed=False):
    tensors = {
        key: stored(value if value.is_floating_point() else value.float())
        for key, value in pipeline.inputs.items()
    }
    described = []
    for case in cases:
        described.append(run_model(case, pipeline, tensors))
        print(case[0], described[-1]["modules"], described[-1]["losses"][:2], flush=True)
        # After every network, since they take a while.
        save_file(tensors, TARGET / f"{target}.safetensors")
        (TARGET / f"{target}.json").write_text(
            json.dumps(
                {
                    "rate": MODEL_RATE, "decay": MODEL_DECAY, "unetNames": pipeline.UNET_NAMES,
                    "textNames": [r"text_model\." + name for name in pipeline.TEXT_NAMES],
                    "cases": described,
                }, indent=1) + "\n")
    print(len(described), "networks", (TARGET / f"{target}.safetensors").stat().st_size, "bytes")
    if compressed:
        subprocess.run(["zstd", "-q", "-19", "-f", "--rm", TARGET / f"{target}.safetensors"], check=True)


def write_layers():
    tensors, described, failed = {}, [], []
    for case in cases():
        mark = dict(tensors)
        try:
            described.append(run(case, tensors))
        except Exception as error:
            tensors.clear()
            tensors.update(mark)
            failed.append((case[0], repr(error)[:160]))
    for name, error in failed:
        print("not in LyCORIS:", name, error)
    save_file(tensors, TARGET / "layers.safetensors")
    (TARGET / "layers.json").write_text(
        json.dumps({"rate": RATE, "decay": DECAY, "cases": described}, indent=1) + "\n")
    print(len(described), "cases", (TARGET / "layers.safetensors").stat().st_size, "bytes")


def main():
    chosen = sys.argv[1:] or ["layers", "sd1", "sdxl"]
    TARGET.mkdir(parents=True, exist_ok=True)
    if "layers" in chosen:
        write_layers()
    if "sd1" in chosen:
        write_models(SD1(), model_cases(), "networks")
    if "sdxl" in chosen:
        write_models(SDXL(), sdxl_cases(), "networks-sdxl", compressed=True)


if __name__ == "__main__":
    main()
