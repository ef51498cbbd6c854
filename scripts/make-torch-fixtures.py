#!/usr/bin/env python3
"""Writes Fixtures/torch: files by torch.save, each with a safetensors twin of what torch.load gives.

The twin is made from the loaded file, not from what was saved. Dicts in it are flattened by the rule of
the manual ("Torch files" in docs/lyco-convert.md); texts and numbers at the top are its metadata.
Addresses and timestamps make legacy files differ in bytes from run to run, never in content.
"""

import argparse
import collections
import io
import json
import pathlib
import pickletools
import shutil
import sys
import types
import zipfile

import numpy as np
import torch
from safetensors import TensorSpec, serialize_file
from safetensors.torch import load_file

ROOT = pathlib.Path(__file__).resolve().parent.parent / "Fixtures"
FOLDER = ROOT / "torch"
DTYPES = [
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
    torch.uint8, torch.uint16, torch.uint32, torch.uint64, torch.bool, torch.complex64, torch.float8_e4m3fn,
    torch.float8_e5m2, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz, torch.float8_e8m0fnu,
]
# Formats without a storage type of their own.
NEWER = ("torch.float8", "torch.uint16", "torch.uint32", "torch.uint64")


def counted(dtype, *shape, seed=1):
    """Every byte another, but for bools."""
    count = int(np.prod(shape, dtype=np.int64)) * (torch.empty(0, dtype=dtype).element_size())
    data = (np.arange(count, dtype=np.int64) * 37 + seed * 11) % (2 if dtype == torch.bool else 251)
    return torch.from_numpy(data.astype(np.uint8)).view(dtype).reshape(shape)


# Classes of packages that need not be installed: only their names go into the file.
def foreign(name, **bases):
    module_name, class_name = name.rsplit(".", 1)
    parts = module_name.split(".")
    for i in range(1, len(parts) + 1):
        path = ".".join(parts[:i])
        sys.modules.setdefault(path, types.ModuleType(path))
    cls = type(class_name, (bases.get("base", object),), {"__module__": module_name})
    setattr(sys.modules[module_name], class_name, cls)
    return cls


ModelCheckpoint = foreign("pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint")
DictConfig = foreign("omegaconf.dictconfig.DictConfig")
ContainerMetadata = foreign("omegaconf.base.ContainerMetadata")


def lightning():
    config, metadata = DictConfig(), ContainerMetadata()
    metadata.ref_type = dict
    config.__dict__.update(_metadata=metadata, _content={"lr": 1e-4}, _parent=None)
    config._content["self"] = config
    return {
        "epoch": 3, "global_step": 470000, "pytorch-lightning_version": "1.4.2",
        "state_dict": collections.OrderedDict(
            [("model.diffusion_model.time_embed.0.weight", counted(torch.float32, 2, 3)),
             ("cond_stage_model.transformer.text_model.embeddings.position_ids", torch.arange(7).expand((1, -1))),
             ("model_ema.num_updates", torch.tensor(470000, dtype=torch.int32))]),
        "callbacks": {ModelCheckpoint: {
            "monitor": "val/loss", "best_model_score": counted(torch.float32), "dirpath": pathlib.PurePosixPath("/runs/1"),
            "best": np.float64(0.25), "history": np.arange(3)}},
        "optimizer_states": [{"state": {0: {"step": 5, "exp_avg": counted(torch.float32, 2, 3)}},
                              "param_groups": [{"lr": 1e-4, "betas": (0.9, 0.999), "params": [0]}]}],
        "lr_schedulers": [{"base_lrs": [1e-4], "_last_lr": [1e-4], "seen": {1, 2}, "big": 1 << 80}],
        "hyper_parameters": argparse.Namespace(config=config, names={"a", "b"}, flag=True, raw=b"\0\xff"),
    }


def layouts():
    base = counted(torch.float32, 6, 8)
    tied = counted(torch.bfloat16, 4, 4)
    return {
        "whole": base, "transposed": base.t(), "rows": base[2:5], "columns": base[:, 2:5], "stepped": base[::2, 1::3],
        "row": base[3], "column": base[:, 3], "element": base[2, 3],
        "permuted": counted(torch.float16, 2, 3, 4, 5).permute(3, 1, 0, 2),
        "channels_last": counted(torch.float32, 4, 3, 2, 2).to(memory_format=torch.channels_last),
        "expanded": counted(torch.int64, 3, 1).expand(3, 4), "expanded_row": torch.arange(5).expand(1, -1),
        "bytes": counted(torch.uint8, 3, 5).t(), "doubles": counted(torch.float64, 2, 3).t(),
        "scalar": torch.tensor(2.5), "one": torch.tensor([7], dtype=torch.int16),
        "empty": torch.empty(0), "empty_matrix": torch.empty(0, 5), "empty_slice": base[6:, ::2],
        "tied.a": tied, "tied.b": tied, "tied.rows": tied[1:3], "tied.transposed": tied.t(),
        "degenerate": counted(torch.float32, 3, 1, 2)[:, :, :1].transpose(0, 1),
    }


def attributes():
    tensor, parameter = counted(torch.float32, 2, 2), torch.nn.Parameter(counted(torch.float16, 3))
    tensor.note = "of the tensor"
    parameter.note = {"of": "the parameter"}
    return {"tensor": tensor, "parameter": parameter, "frozen": torch.nn.Parameter(counted(torch.float32, 2), requires_grad=False),
            "half": counted(torch.float8_e4m3fn, 2, 4).t()}


def module():
    return torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3), torch.nn.Linear(3, 2)).half().state_dict()


def simple():
    return {"a": counted(torch.float32, 2, 3), "b": counted(torch.float16, 5, seed=3), "step": 12, "rate": 2.5, "name": "é\n"}


def nested():
    return {"unet": {"a": counted(torch.float32, 2), "deep": {"b": counted(torch.float16, 3), 4: counted(torch.int8, 1)}},
            "list": [counted(torch.float32, 1), {"c": counted(torch.float32, 2)}, (counted(torch.bool, 3), 5)], "top": counted(torch.uint8, 4),
            "nothing": None, "flag": True}


FILES = {
    "every-dtype.pt": ({str(d).removeprefix("torch."): counted(d, 2, 3) for d in DTYPES}, {}),
    # Others torch writes in the old format, but does not load from it.
    "every-dtype-legacy.pt": (
        {str(d).removeprefix("torch."): counted(d, 2, 3) for d in DTYPES if not str(d).startswith(NEWER)},
        {"legacy": True}),
    "newer-dtypes-legacy.bin": (
        {str(d).removeprefix("torch."): counted(d, 2, 3) for d in DTYPES if str(d).startswith(NEWER)}, {"legacy": True, "twin": False}),
    "layouts.pt": (layouts(), {}),
    "layouts-legacy.pt": (layouts(), {"legacy": True}),
    **{f"protocol-{p}.pt": (simple(), {"protocol": p}) for p in (2, 3, 4, 5)},
    **{f"protocol-{p}-legacy.pt": (simple(), {"protocol": p, "legacy": True}) for p in (2, 3, 4, 5)},
    "attributes.pt": (attributes(), {}),
    "module.pth": (module(), {}),
    "nested.bin": (nested(), {}),
    "nested-legacy.bin": (nested(), {"legacy": True}),
    "lightning.ckpt": (lightning(), {}),
    "lightning-legacy.ckpt": (lightning(), {"legacy": True}),
    "lightning-protocol-4.ckpt": (lightning(), {"protocol": 4}),
    "training.pth": ({"model": module(), "optimizer": {"state": {0: {"exp_avg": torch.ones(2)}}}, "epoch": 7}, {}),
    "averaged.pth": ({"params": {"a": torch.zeros(2)}, "params_ema": {"a": torch.ones(2)}}, {}),
    "two-models.pt": ({"model": {"a": torch.zeros(2)}, "vae": {"a": torch.ones(2)}}, {}),
    "embedding.pt": ({"string_to_token": {"*": 265}, "string_to_param": {"*": torch.nn.Parameter(counted(torch.float32, 2, 4))},
                      "name": "cat", "step": 500, "sd_checkpoint": None}, {}),
    "embedding-parameters.pt": ({"string_to_token": {"*": torch.tensor(265)},
                                 "string_to_param": torch.nn.ParameterDict({"*": torch.nn.Parameter(counted(torch.float32, 2, 4))})}, {}),
    "concept.bin": ({"<cat-toy>": counted(torch.float32, 4)}, {}),
    "list.pt": ([torch.ones(1), torch.zeros(2)], {}),
}


# === What torch.load gives, flattened ===

WRAPPERS = ["state_dict", "params_ema", "params", "model", "module", "lora"]
BESIDES = {"optimizer", "params", "params_ema", "ema"}


def direct(value):
    values = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else []
    return isinstance(value, (torch.Tensor, torch.nn.ParameterDict)) or any(isinstance(v, torch.Tensor) for v in values)


def flatten(value, name=""):
    if isinstance(value, torch.Tensor):
        return {name: value.detach()}
    if isinstance(value, torch.nn.ParameterDict):
        value = dict(value.items())
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else ()
    flat = {}
    for key, part in items:
        if isinstance(key, (str, int)):
            flat |= flatten(part, f"{name}.{key}" if name else str(key))
    return flat


def twin(path):
    state = torch.load(path, weights_only=False)
    metadata = {}
    if isinstance(state, dict):
        metadata = {str(k): str(v) for k, v in state.items() if isinstance(v, (str, int, float))}
        weights = [k for k in WRAPPERS if isinstance(state.get(k), dict) and direct(state[k])]
        others = {k for k, v in state.items() if direct(v) and k not in weights}
        if weights and (weights[0] == "state_dict" or others <= BESIDES):
            state = state[weights[0]]
    owners, tensors = [], {}
    for name, tensor in flatten(state).items():
        data = tensor.contiguous().clone()
        owners.append(data)
        tensors[name] = TensorSpec(
            dtype=str(tensor.dtype).removeprefix("torch."), shape=list(tensor.shape), data_ptr=data.data_ptr(),
            data_len=data.numel() * data.element_size())
    serialize_file(tensors, path.with_name(path.name + ".safetensors"), metadata or None)


def save(state, path, protocol=2, legacy=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, path, pickle_protocol=protocol, _use_new_zipfile_serialization=not legacy)


def python2():
    """Texts as Python 2 pickled them; torch loads them, but no longer writes them."""
    source = io.BytesIO()
    torch.save(simple() | {"name": "cat"}, source)
    target = FOLDER / "python-2.pt"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith("data.pkl"):
                operations = [(op, argument, position) for op, argument, position in pickletools.genops(content)]
                ends = [position for _, _, position in operations[1:]] + [len(content)]
                content = b"".join(
                    b"U" + bytes([len(argument)]) + argument.encode() if op.name == "BINUNICODE" else content[position:end]
                    for (op, argument, position), end in zip(operations, ends))
            new.writestr(name, content)
    twin(target)


def folders():
    unet, vae = {"conv.weight": counted(torch.float32, 2, 2)}, {"w": counted(torch.float16, 3)}
    model = FOLDER / "diffusers"
    save(unet, model / "unet" / "diffusion_pytorch_model.bin")
    save(vae, model / "vae" / "diffusion_pytorch_model.bin")
    serialize_file({}, model / "vae" / "diffusion_pytorch_model.safetensors", None)
    encoder = {"a": counted(torch.float32, 4), "b": counted(torch.bfloat16, 2, 3).t()}
    for i, name in enumerate(encoder):
        save({name: encoder[name]}, model / "text_encoder" / f"pytorch_model-0000{i + 1}-of-00002.bin")
    index = {"weight_map": {name: f"pytorch_model-0000{i + 1}-of-00002.bin" for i, name in enumerate(encoder)}}
    (model / "text_encoder" / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    (model / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}\n')


def pair():
    """A checkpoint and an adapter of the other fixtures, in both formats."""
    small = ROOT / "lora" / "sd1-small"
    # Of the checkpoint only what the adapter changes.
    changed = load_file(small / "peft.merged.safetensors")
    unet = load_file(small / "base" / "unet" / "diffusion_pytorch_model.safetensors")
    base = {name: tensor for name, tensor in unet.items() if f"unet/{name}" in changed}
    save({"state_dict": base, "global_step": 1}, FOLDER / "pair" / "base.ckpt")
    twin(FOLDER / "pair" / "base.ckpt")
    save(base, FOLDER / "pair" / "folder" / "unet" / "diffusion_pytorch_model.bin")
    for name, legacy in (("peft.pt", False), ("peft-legacy.pt", True)):
        save(load_file(small / "peft.safetensors"), FOLDER / "pair" / name, legacy=legacy)
    # As PEFT's save_pretrained(safe_serialization=False) leaves it.
    factors = {"base_model.model.layer.lora_A.weight": counted(torch.float16, 2, 8), "base_model.model.layer.lora_B.weight": counted(torch.float16, 6, 2)}
    save(factors, FOLDER / "peft-folder" / "adapter_model.bin")
    (FOLDER / "peft-folder" / "adapter_config.json").write_text('{"peft_type": "LORA", "r": 2, "lora_alpha": 3}\n')


if __name__ == "__main__":
    shutil.rmtree(FOLDER, ignore_errors=True)
    for name, (state, options) in FILES.items():
        has_twin = options.pop("twin", True)
        save(state, FOLDER / name, **options)
        if has_twin:
            twin(FOLDER / name)
    python2()
    folders()
    pair()
