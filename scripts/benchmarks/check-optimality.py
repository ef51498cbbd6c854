#!/usr/bin/env python3
"""How far an extracted adapter is from the best one of its ranks.

usage: check-optimality.py BASE TUNED ADAPTER [--every N] [--at-most RATIO]

For every Nth (default: every) low-rank module of ADAPTER: the Frobenius error of
scale * up * down against TUNED - BASE, divided by the smallest error any matrix of that rank can
have, which is the root of the sum of the remaining eigenvalues of the Gram matrix in float64.
Prints the distribution and the worst module; exits with 1 if that is above RATIO. Single files
only. Adapter names: the checkpoint's dotted keys, or SD1's kohya names over its single file.
"""

import argparse
import pathlib
import statistics
import sys

import torch
from safetensors import safe_open

SCRIPTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(SCRIPTS))

from fixtures.families.sd1_names import adapter_name, ldm_name  # noqa: E402

UNET_NAMES = SCRIPTS.parent / "Fixtures" / "families" / "sd1.unet.diffusers.txt"


def sd1_table(checkpoint):
    """Adapter name -> key of an SD1 single file."""
    keys = [line.split("\t")[0] for line in UNET_NAMES.read_text().splitlines()]
    names = [f"unet/{key}" for key in keys if key.endswith(".weight")]
    prefix = "cond_stage_model.transformer."
    names += [f"text_encoder/{key.removeprefix(prefix)}" for key in checkpoint
              if key.startswith(prefix) and key.endswith(".weight")]
    return {adapter_name(name): ldm_name(name) for name in names}


def key_table(checkpoint, modules):
    """Adapter name -> checkpoint key, for every module or not at all."""
    table = {key.removesuffix(".weight"): key for key in checkpoint if key.endswith(".weight")}
    if not modules <= table.keys():
        table = sd1_table(checkpoint)
    missing = sorted(modules - table.keys())
    if missing:
        sys.exit(f"check-optimality.py: no base weight for module {missing[0]}")
    return table


def errors(delta, up, down, mid, scale):
    """The adapter's Frobenius error and the least possible one at its rank."""
    delta = delta.double().flatten(1)
    u, d = up.double().flatten(1), down.double().flatten(1)
    if mid is not None:
        kernel = mid.double().flatten(2)
        d = torch.einsum("ijk,jq->iqk", kernel, d).flatten(1)
    found = (delta - scale * (u @ d)).norm()
    gram = delta @ delta.T if delta.shape[0] <= delta.shape[1] else delta.T @ delta
    values = torch.linalg.eigvalsh(gram).clamp(min=0).flip(0)
    return float(found), float(values[u.shape[1]:].sum().sqrt()), float(delta.norm())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("base")
    parser.add_argument("tuned")
    parser.add_argument("adapter")
    parser.add_argument("--every", type=int, default=1, metavar="N")
    parser.add_argument("--at-most", type=float, default=None, metavar="RATIO")
    options = parser.parse_args()
    ratios = []
    with safe_open(options.base, "pt") as base, safe_open(options.tuned, "pt") as tuned, \
            safe_open(options.adapter, "pt") as adapter:
        suffix, stored = ".lora_up.weight", set(adapter.keys())
        modules = sorted(key.removesuffix(suffix) for key in stored if key.endswith(suffix))
        table = key_table(set(base.keys()), set(modules))
        for module in modules[::options.every]:
            key = table[module]
            factors = {name: adapter.get_tensor(f"{module}.{name}")
                       for name in ("lora_up.weight", "lora_down.weight", "lora_mid.weight",
                                    "alpha") if f"{module}.{name}" in stored}
            down = factors["lora_down.weight"]
            scale = float(factors["alpha"].float().flatten()[0]) / down.shape[0] \
                if "alpha" in factors else 1.0
            delta = tuned.get_tensor(key).float() - base.get_tensor(key).float()
            found, least, size = errors(delta, factors["lora_up.weight"], down,
                                        factors.get("lora_mid.weight"), scale)
            if least > 1e-3 * size:  # below that it is the rounding of the stored factors
                ratios.append((found / least, module, found / size))
    if not ratios:
        sys.exit("check-optimality.py: no module whose best error is above 0.1 % of its difference")
    worst = max(ratios)
    print(f"modules {len(ratios)} of {len(modules)}, ratio to the best error of the same rank: "
          f"median {statistics.median(r for r, _, _ in ratios):.6f}, worst {worst[0]:.6f} "
          f"({worst[1]}, relative error {worst[2]:.4f})")
    if options.at_most is not None and worst[0] > options.at_most:
        sys.exit(1)


if __name__ == "__main__":
    main()
