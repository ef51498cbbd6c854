"""Writes Fixtures/quantized: weights that real tools have stored as codes, and what these tools read from them.

`NAME.safetensors` has two layers of codes and one of numbers, `NAME.dense.safetensors` their values in F32 as
bitsandbytes or comfy_kitchen (the arithmetic of ComfyUI) dequantize them on the CPU.
"""
import pathlib
import sys

import torch
from safetensors.torch import save_file

from fixtures.quantizers import CASES, checkpoint

FOLDER = pathlib.Path(__file__).parent.parent / "Fixtures" / "quantized"


def main(folder):
    folder.mkdir(exist_ok=True)
    for number, (name, (quantize, shapes)) in enumerate(CASES.items()):
        torch.manual_seed(20251122 + number)
        stored, dense, metadata = checkpoint(quantize, shapes)
        save_file(stored, folder / f"{name}.safetensors", metadata)
        save_file(dense, folder / f"{name}.dense.safetensors")


main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
