#!/usr/bin/env python3
"""Writes Fixtures/combine: what PEFT and kohya's scripts, or their definitions, make of small tensors.

usage: make-combine-fixtures.py

picked.safetensors    three changes, and what peft.utils.merge_utils makes of them by every method
average.N.safetensors files of one run; average.safetensors their averages in float64, by the
                      definitions of musubi-tuner's lora_post_hoc_ema.py
blocks.json           names of modules with the index that kohya's rules give them
ranks.json            spectra, and the ranks that sv_ratio, sv_fro and sv_cumulative mean
"""

import json
import pathlib
import re

import numpy as np
import torch
from peft.utils import merge_utils
from safetensors.numpy import save_file as save_numpy
from safetensors.torch import save_file

OUT = pathlib.Path(__file__).resolve().parent.parent / "Fixtures" / "combine"
SEED = 20251122
WEIGHTS = [1.0, -0.5, 0.7]


def write_picked():
    generator = torch.Generator().manual_seed(SEED)
    changes = [torch.randn((12, 10), generator=generator) for _ in WEIGHTS]
    tensors = {f"change.{i}": change for i, change in enumerate(changes)}
    weights = torch.tensor(WEIGHTS)
    for density in [0.3, 1.0]:
        for sign in ["total", "frequency"]:
            tensors[f"ties.{sign}.{density}"] = merge_utils.ties(changes, weights, density, sign)
        tensors[f"magnitude_prune.{density}"] = merge_utils.magnitude_prune(changes, weights, density)
    tensors["dare_linear.1.0"] = merge_utils.dare_linear(changes, weights, 1.0)
    tensors["dare_ties.1.0"] = merge_utils.dare_ties(changes, weights, 1.0)
    save_file({key: value.contiguous() for key, value in tensors.items()}, OUT / "picked.safetensors",
              metadata={"weights": " ".join(map(str, WEIGHTS))})


def exponent(sigma):
    """Karras et al. 2024, algorithm 2."""
    t = sigma ** -2
    return np.roots([1, 7, 16 - t, 12 - t]).real.max()


def write_average():
    random = np.random.default_rng(SEED)
    count = 4
    files = []
    for i in range(count):
        tensors = {
            "lora_unet_a.lora_up.weight": random.standard_normal((6, 2)).astype(np.float32),
            "lora_unet_a.lora_down.weight": random.standard_normal((2, 5)).astype(np.float16),
            "lora_unet_a.alpha": np.array(2, np.float32),
            "lora_unet_a.steps": np.array([7], np.int64),
        }
        files.append(tensors)
        save_numpy(tensors, OUT / f"average.{i}.safetensors", metadata={"ss_steps": str(100 * i)})
    schedules = {
        "constant": [0.95] * (count - 1),
        "linear": [0.9 + (0.99 - 0.9) * (i - 1) / (count - 2) for i in range(1, count)],
        "power": [(1 - 1 / i) ** (exponent(0.2) + 1) for i in range(1, count)],
    }
    averages = {}
    for name, betas in schedules.items():
        for key in ["lora_unet_a.lora_up.weight", "lora_unet_a.lora_down.weight"]:
            average = files[0][key].astype(np.float64)
            for beta, tensors in zip(betas, files[1:]):
                average = beta * average + (1 - beta) * tensors[key].astype(np.float64)
            averages[f"{name}.{key}"] = average.astype(files[0][key].dtype)
    averages["betas.power"] = np.array(schedules["power"])
    save_numpy(averages, OUT / "average.safetensors")


UP_DOWN = re.compile(r"(up|down)_blocks_(\d+)_(resnets|upsamplers|downsamplers|attentions)_(\d+)_")


def block_sd(name):
    """Index of a module in a list of 26: 0 text encoder, 1 to 12 down, 13 middle, 14 to 25 up."""
    if "text_model_encoder_" in name:
        return 0
    if "mid_block_" in name:
        return 13
    found = UP_DOWN.search(name)
    if not found:
        return None
    side, i, kind, j = found[1], int(found[2]), found[3], int(found[4])
    if side == "down":
        return 1 + (3 * (i + 1) if kind == "downsamplers" else 3 * i + j + 1)
    return 14 + (3 * i + 2 if kind == "upsamplers" else 3 * i + j)


def block_sdxl(name):
    if "text_model_encoder_" in name:
        return 0
    rest = name.removeprefix("lora_unet_")
    for prefix, first in [("input_blocks_", 1), ("output_blocks_", 14)]:
        if rest.startswith(prefix):
            return first + int(rest.split("_")[2])
    return 13 if rest.startswith("middle_block_") else None


def write_blocks():
    sd1 = ["lora_te_text_model_encoder_layers_3_mlp_fc1"]
    for i in range(3):
        for j in range(2):
            sd1 += [f"lora_unet_down_blocks_{i}_attentions_{j}_proj_in",
                    f"lora_unet_down_blocks_{i}_resnets_{j}_conv1"]
        sd1.append(f"lora_unet_down_blocks_{i}_downsamplers_0_conv")
    sd1.append("lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q")
    for i in range(1, 4):
        for j in range(3):
            sd1 += [f"lora_unet_up_blocks_{i}_attentions_{j}_proj_out",
                    f"lora_unet_up_blocks_{i}_resnets_{j}_conv2"]
    sd1 += [f"lora_unet_up_blocks_{i}_upsamplers_0_conv" for i in range(3)]
    sdxl = ["lora_te1_text_model_encoder_layers_0_mlp_fc1", "lora_te2_text_model_encoder_layers_31_mlp_fc2",
            "lora_unet_input_blocks_4_1_proj_in", "lora_unet_input_blocks_5_1_transformer_blocks_1_attn1_to_k",
            "lora_unet_input_blocks_8_1_transformer_blocks_9_ff_net_2", "lora_unet_input_blocks_3_0_op",
            "lora_unet_middle_block_1_transformer_blocks_9_attn2_to_q",
            "lora_unet_output_blocks_0_1_proj_out", "lora_unet_output_blocks_5_1_proj_in",
            "lora_unet_output_blocks_8_0_in_layers_2"]
    table = {"sd1": {name: block_sd(name) for name in sd1},
             "sdxl": {name: block_sdxl(name) for name in sdxl}}
    (OUT / "blocks.json").write_text(json.dumps(table, indent=1) + "\n")


def write_ranks():
    random = np.random.default_rng(SEED)
    cases = []
    for kind in range(6):
        s = np.sort(random.random(24) ** (kind + 1))[::-1].astype(np.float32).astype(np.float64)
        for method, parameter in [("sv_ratio", 3.0), ("sv_ratio", 12.0), ("sv_fro", 0.9),
                                  ("sv_fro", 0.99), ("sv_cumulative", 0.5), ("sv_cumulative", 0.95)]:
            if method == "sv_ratio":
                rank = int((s > s[0] / parameter).sum())
            else:
                terms = s if method == "sv_cumulative" else s ** 2
                share = parameter if method == "sv_cumulative" else parameter ** 2
                rank = int(np.argmax(np.cumsum(terms) / terms.sum() >= share)) + 1
            cases.append({"spectrum": [float(x) for x in s.astype(np.float32)], "method": method,
                          "parameter": parameter, "rank": rank})
    (OUT / "ranks.json").write_text(json.dumps(cases) + "\n")


OUT.mkdir(parents=True, exist_ok=True)
write_picked()
write_average()
write_blocks()
write_ranks()
