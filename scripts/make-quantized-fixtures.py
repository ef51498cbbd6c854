"""Writes Fixtures/quantized: weights that real tools have stored as codes, and what these tools read from them.

`NAME.safetensors` has two layers of codes and one of numbers, `NAME.dense.safetensors` their values in F32 as
bitsandbytes or comfy_kitchen (the arithmetic of ComfyUI) dequantize them on the CPU.
"""
import json
import pathlib
import sys

import bitsandbytes.functional as bnb
import comfy_kitchen
import torch
from comfy_kitchen.tensor import TensorCoreMXFP8Layout, TensorCoreNVFP4Layout, TensorWiseINT8Layout
from safetensors.torch import save_file

comfy_kitchen.registry.disable("cuda")
FOLDER = pathlib.Path(__file__).parent.parent / "Fixtures" / "quantized"
NAMES = ["blocks.0.to_q", "blocks.1.to_q"]


def four_bit(kind, nested):
    def quantize(weight):
        codes, state = bnb.quantize_4bit(
            weight.bfloat16(), blocksize=64, compress_statistics=nested, quant_type=kind)
        tensors = {".weight": codes}
        for name, value in state.as_dict(packed=True).items():
            tensors[".weight." + name] = value.clone()
        # As one row: blocks run over rows, as all of bitsandbytes has them but its kernel for the CPU,
        # which begins a block with each row (0.50.2; wrong by 30 % where rows are no whole blocks).
        state.dtype, state.shape = torch.float32, torch.Size([1, weight.numel()])
        return tensors, bnb.dequantize_4bit(codes, state)
    return quantize


def large_rows(weight):
    codes, maxima, _ = bnb.int8_vectorwise_quant(weight.half())
    return {".weight": codes, ".SCB": maxima, ".weight_format": torch.tensor(0, dtype=torch.uint8)}, \
        bnb.int8_vectorwise_dequant(codes, maxima)


def comfy(layout, word, **options):
    def quantize(weight):
        codes, params = layout.quantize(weight, **options)
        tensors = {".weight" + end: t for end, t in layout.state_dict_tensors(codes, params).items()}
        text = json.dumps({"format": word}).encode()
        tensors[".comfy_quant"] = torch.tensor(list(text), dtype=torch.uint8)
        return tensors, layout.dequantize(codes, params)
    return quantize


SMALL, TILES, WIDE_TILES = [(32, 64), (24, 96)], [(16, 64), (144, 96)], [(32, 32), (160, 160)]
CASES = {
    "bnb-nf4": (four_bit("nf4", False), SMALL),
    "bnb-nf4-nested": (four_bit("nf4", True), SMALL),
    "bnb-fp4": (four_bit("fp4", False), SMALL),
    "bnb-fp4-nested": (four_bit("fp4", True), SMALL),
    "bnb-int8": (large_rows, SMALL),
    "comfy-int8": (comfy(TensorWiseINT8Layout, "int8_tensorwise"), SMALL),
    "comfy-int8-rows": (comfy(TensorWiseINT8Layout, "int8_tensorwise", per_channel=True), SMALL),
    "comfy-nvfp4": (comfy(TensorCoreNVFP4Layout, "nvfp4"), TILES),
    "comfy-mxfp8": (comfy(TensorCoreMXFP8Layout, "mxfp8"), WIDE_TILES),
}


def main(folder):
    folder.mkdir(exist_ok=True)
    for number, (name, (quantize, shapes)) in enumerate(CASES.items()):
        torch.manual_seed(20251122 + number)
        stored, dense, words = {}, {}, {}
        for layer, shape in zip(NAMES, shapes):
            # Rows of different size, so that a scale at the wrong place shows.
            weight = torch.randn(shape) * torch.linspace(0.02, 0.2, shape[0])[:, None]
            tensors, values = quantize(weight)
            for end, tensor in tensors.items():
                # Files hold powers of two as bytes where the format of scales is not known to all readers.
                if tensor.dtype == torch.float8_e8m0fnu:
                    tensor = tensor.view(torch.uint8)
                stored[layer + end] = tensor.contiguous()
            dense[layer + ".weight"] = values.float().reshape(shape).contiguous()
            if ".comfy_quant" in tensors:
                words[layer] = {"format": json.loads(bytes(tensors[".comfy_quant"].tolist()))["format"]}
        for tensors in stored, dense:
            tensors["final.weight"] = torch.arange(12).reshape(3, 4).float() / 8
        metadata = {"format": "pt"}
        if words:
            metadata["_quantization_metadata"] = json.dumps({"format_version": "1.0", "layers": words})
        save_file(stored, folder / f"{name}.safetensors", metadata)
        save_file(dense, folder / f"{name}.dense.safetensors")


main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
