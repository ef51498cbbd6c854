#!/usr/bin/env python3
"""Writes a folder of adapters of SDXL's shape, for `lyco-inspect FOLDER`.

usage: make-adapter-folder.py KEYS FOLDER [--count 300] [--rank 16] [--text]

KEYS lists a checkpoint, a key and its shape on each line, as the files of Fixtures/families do. Headers are those of
sd-scripts, 722 modules of the UNet (with --text also 264 of the text encoders), with metadata, tags among them, of the size
that trainings write. The factors are holes in sparse files but for their first bytes, which are random: a file takes 3 MB
on disk. Every hundredth file is a copy of the one before it, every two hundredth is cut short.
"""

import argparse
import json
import pathlib
import random
import struct

PARTS = (".transformer_blocks.", ".proj_in.", ".proj_out.")


def modules(path, text):
    """Names as in kohya's scripts, and the extents of the weights."""
    for line in pathlib.Path(path).read_text().splitlines():
        key, shape = line.split("\t")
        extents = [int(n) for n in shape.split("x")]
        if not key.endswith(".weight") or len(extents) < 2:
            continue
        if key.startswith("model.diffusion_model.") and any(part in key for part in PARTS):
            yield "lora_unet_" + key[len("model.diffusion_model."):-len(".weight")].replace(".", "_"), extents
    if text:
        for name, layers, width in (("lora_te1", 12, 768), ("lora_te2", 32, 1280)):
            for layer in range(layers):
                for part, outputs, inputs in (
                        ("mlp_fc1", 4, 1), ("mlp_fc2", 1, 4), ("self_attn_k_proj", 1, 1), ("self_attn_out_proj", 1, 1),
                        ("self_attn_q_proj", 1, 1), ("self_attn_v_proj", 1, 1)):
                    yield (f"{name}_text_model_encoder_layers_{layer}_{part}",
                           [outputs * width, inputs * width])


def tensors(modules, rank):
    for name, (outputs, inputs, *kernel) in modules:
        ones = [1] * len(kernel)
        yield f"{name}.alpha", []
        yield f"{name}.lora_down.weight", [rank, inputs, *ones]
        yield f"{name}.lora_up.weight", [outputs, rank, *ones]


def metadata(index, draw):
    words = [f"word {n}" for n in range(400)]
    tags = {word: draw.randrange(1, 200) for word in draw.sample(words, 250)}
    return {
        "ss_output_name": f"adapter-{index:03}", "modelspec.title": f"Adapter {index}",
        "ss_network_module": "networks.lora", "ss_network_dim": "16", "ss_network_alpha": "8",
        "ss_base_model_version": "sdxl_base_v1-0", "ss_sd_model_name": "sd_xl_base_1.0.safetensors",
        "ss_new_sd_model_hash": f"{draw.getrandbits(256):064x}", "ss_steps": "2000",
        "ss_training_finished_at": str(1.7e9 + 1e4 * index), "sshs_model_hash": f"{draw.getrandbits(256):064x}",
        "ss_tag_frequency": json.dumps({"10_concept": tags}),
        "ss_dataset_dirs": json.dumps({"10_concept": {"n_repeats": 10, "img_count": 40}}),
        "ss_bucket_info": json.dumps({"buckets": {str(n): {"resolution": [1024, 64 * n], "count": 3} for n in range(40)}}),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("keys")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--text", action="store_true")
    options = parser.parse_args()
    shapes = list(tensors(modules(options.keys, options.text), options.rank))
    options.folder.mkdir(parents=True, exist_ok=True)
    for index in range(options.count):
        copied = index % 100 == 99
        draw = random.Random(index - 1 if copied else index)
        header, end, starts = {"__metadata__": metadata(index, draw)}, 0, []
        for name, shape in shapes:
            size = 2
            for extent in shape:
                size *= extent
            header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [end, end + size]}
            starts += [] if "lora_up" not in name else [end]
            end += size
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        draw = random.Random(index - 1 if copied else index)
        folder = options.folder / f"part-{index % 7}"
        folder.mkdir(exist_ok=True)
        with open(folder / f"adapter-{index:03}.safetensors", "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            for start in starts:
                file.seek(8 + len(text) + start)
                # Numbers of about 0.01: any bytes would also be infinite ones.
                file.write(b"".join(struct.pack("<e", draw.gauss(0, 0.01)) for _ in range(16)))
            file.truncate(8 + len(text) + end - (1000 if index % 200 == 150 else 0))
    print(f"{options.folder}: {options.count} adapters of {len(shapes) // 3} modules")


main()
