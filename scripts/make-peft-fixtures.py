#!/usr/bin/env python3
"""Writes Fixtures/peft: adapters that PEFT made, with what PEFT merges of them.

usage: make-peft-fixtures.py

Every folder is one adapter as save_pretrained writes it:

adapter_model.safetensors, adapter_config.json
initial/                  the same adapter before training, where its product was not zero then
base.safetensors          the model before PEFT touched it
merged.safetensors        the tensors that merge_and_unload changes, from the loaded adapter
"""

import json
import pathlib
import shutil
import warnings
import zlib

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from transformers.pytorch_utils import Conv1D

warnings.filterwarnings("ignore")
OUT = pathlib.Path(__file__).resolve().parent.parent / "Fixtures" / "peft"


class Attention(torch.nn.Module):
    def __init__(self):
        super().__init__()
        for name in ["to_q", "to_k", "q_proj"]:
            setattr(self, name, torch.nn.Linear(12, 12))
        self.to_out = torch.nn.Linear(12, 8)


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.attn, self.attn2, self.to_q = Attention(), Attention(), torch.nn.Linear(12, 12)


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = torch.nn.ModuleList([Block(), Block()])
        self.to_q = torch.nn.Linear(12, 12)


class Transposed(torch.nn.Module):
    """Layers of GPT-2's class, square and not, beside one that is not of it."""

    def __init__(self):
        super().__init__()
        self.c_attn, self.c_proj = Conv1D(36, 12), Conv1D(12, 12)
        self.fc = torch.nn.Linear(12, 12)


def trained(model):
    """Moves the factors as training would."""
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data += 0.2 * torch.randn(parameter.shape)


def write(name, make=Model, targets=("to_q", "to_k", "q_proj", "to_out"), initial=False, change=None, **options):
    torch.manual_seed(20251122 + zlib.crc32(name.encode()))
    model = make()
    base = {key: value.clone() for key, value in model.state_dict().items()}
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    options = {"r": 4, "lora_alpha": 6, "init_lora_weights": False} | options
    model = get_peft_model(model, LoraConfig(target_modules=list(targets), **options))
    config = model.peft_config["default"]
    way = config.init_lora_weights
    if initial:
        # As PEFT's documentation has it, so that loading does not take the product out once more.
        config.init_lora_weights = True
        model.save_pretrained(folder / "initial")
        config.init_lora_weights = way
    trained(model)
    if initial == "converted":
        model.save_pretrained(folder, path_initial_model_for_weight_conversion=str(folder / "initial"))
        shutil.rmtree(folder / "initial")
    else:
        model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    (folder / "initial" / "README.md").unlink(missing_ok=True)
    if change:
        path = folder / "adapter_config.json"
        fields = json.loads(path.read_text()) | change
        path.write_text(json.dumps(fields, indent=2) + "\n")
        # What PEFT makes of the file as it is now.
        whole = make()
        whole.load_state_dict(base)
        model = PeftModel.from_pretrained(whole, folder)
    merged = model.merge_and_unload().state_dict()
    merged = {key: value.contiguous() for key, value in merged.items() if not torch.equal(value, base[key])}
    save_file({key: value.contiguous() for key, value in base.items()}, folder / "base.safetensors")
    save_file(merged, folder / "merged.safetensors", metadata={"case": name})


# Beginnings. The base that PEFT merges into is the residual one, so that the sum is of the whole weight.
for way in ["pissa", "pissa_niter_4", "olora"]:
    write(way, targets=["to_q", "to_out"], initial=True, init_lora_weights=way)
write("pissa-rslora-dora", targets=["to_q", "to_out"], initial=True, init_lora_weights="pissa", use_rslora=True,
      use_dora=True)
write("pissa-converted", targets=["to_q", "to_out"], initial="converted", init_lora_weights="pissa")
for way in ["eva", "orthogonal", "gaussian"]:
    write(way, targets=["to_q", "to_out"], init_lora_weights=way)
# Biases of the second product.
write("bias", lora_bias=True, alpha_pattern={"attn2.to_q": 3})
write("bias-rslora", lora_bias=True, use_rslora=True)
# Layers that store the transpose of their weight.
for name, targets, options in [
    ("transposed", ["c_attn", "c_proj"], {}), ("transposed-square", ["c_proj"], {}),
    ("transposed-dora", ["c_attn", "c_proj"], {"use_dora": True}), ("transposed-bias", ["c_attn"], {"lora_bias": True}),
    ("transposed-mixed", ["c_attn", "c_proj", "fc"], {}), ("transposed-mixed-square", ["c_proj", "fc"], {}),
    ("transposed-pissa", ["c_attn", "c_proj"], {"initial": True, "init_lora_weights": "pissa"}),
]:
    write(name, Transposed, targets, fan_in_fan_out="fc" not in targets, **options)
# Patterns that overlap, in an order that sorting does not give.
for name, patterns in {
    "patterns": {"to_q": 1, "attn.to_q": 2, "blocks.0.attn.to_q": 5},
    "patterns-reversed": {"blocks.0.attn.to_q": 5, "attn.to_q": 2, "to_q": 1},
    "patterns-expressions": {"attn.to_q": 3, ".*to_q": 7, "to_k|to_q": 9, "^to_q": 11, "q.proj": 13, "blocks.1.attn2.to.out": 5},
}.items():
    write(name, rank_pattern={"attn.to_q": 3, "to_q": 2}, change={"alpha_pattern": patterns})
    write(name + "-rslora", rank_pattern={"attn.to_q": 3, "to_q": 2}, use_rslora=True, change={"alpha_pattern": patterns})
