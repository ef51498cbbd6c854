#!/usr/bin/env python3
"""Writes the files in Fixtures/inspect: adapters of every LyCORIS algorithm, caches, an embedding, an
adapter with a trainer's metadata, one with every fault, and the numbers that measuring must give.

usage: make-inspect-fixtures.py

Needs the packages of scripts/requirements.txt. The algorithms' files are LyCORIS' own state dicts,
hashes are computed as sd-scripts' `library/train_util.py` computes them, and numbers in float64 from
the dense product. The same versions write the same bytes.
"""

import hashlib
import json
import logging
import pathlib
import sys
import warnings

import torch
from safetensors.torch import load_file, save, save_file

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

from fixtures.common import FIXTURES, generator, lora_delta, random_tensor  # noqa: E402

FOLDER = FIXTURES / "inspect"
ALGORITHMS = {"loha": {}, "lokr": {"factor": 4}, "ia3": {}, "diag-oft": {}, "boft": {}, "glora": {},
              "locon": {"use_tucker": True}, "loha-tucker": {"use_tucker": True}, "dora": {"dora_wd": True}}


class Block(torch.nn.Module):
    """A linear layer and a convolution, named as a diffusers UNet names such."""

    def __init__(self):
        super().__init__()
        self.to_q = torch.nn.Linear(12, 16)
        self.conv1 = torch.nn.Conv2d(8, 16, 3)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.down_blocks = torch.nn.ModuleList([Block(), Block()])


def lycoris(name: str, options: dict) -> dict:
    from lycoris import LycorisNetwork, create_lycoris

    torch.manual_seed(7)
    algorithm = {"loha-tucker": "loha", "dora": "locon"}.get(name, name)
    LycorisNetwork.apply_preset({"target_module": ["Block"], "enable_conv": True})
    network = create_lycoris(
        Net(), 1.0, linear_dim=4, linear_alpha=2, conv_dim=4, conv_alpha=2, algo=algorithm, **options)
    network.apply_to()
    g = generator("inspect " + name)
    tensors = {}
    for key, value in network.state_dict().items():
        value = value.detach()
        if value.is_floating_point() and value.dim() > 0:
            value = random_tensor(g, *value.shape, std=0.3)
        tensors[key] = value.clone().contiguous()
    return tensors


def hashes(tensors: dict, metadata: dict) -> dict:
    """`precalculate_safetensors_hashes` of sd-scripts: of a serialization with the ss_ entries alone."""
    training = {k: v for k, v in metadata.items() if k.startswith("ss_")}
    data = save(tensors, training)
    length = int.from_bytes(data[:8], "little")
    return {"sshs_model_hash": hashlib.sha256(data[8 + length:]).hexdigest(),
            "sshs_legacy_hash": hashlib.sha256(data[0x100000:0x110000]).hexdigest()[:8]}


def small_lora(g, names, rank=2, size=(6, 5), alpha=1.0) -> dict:
    tensors = {}
    for name in names:
        tensors[name + ".lora_up.weight"] = random_tensor(g, size[0], rank)
        tensors[name + ".lora_down.weight"] = random_tensor(g, rank, size[1])
        tensors[name + ".alpha"] = torch.tensor(alpha)
    return tensors


def trained() -> tuple[dict, dict]:
    """What sd-scripts' train_network.py writes into an adapter."""
    datasets = [{"is_dreambooth": True, "batch_size_per_device": 2, "num_train_images": 60,
                 "num_reg_images": 0, "resolution": [512, 768], "enable_bucket": True,
                 "subsets": [{"img_count": 20, "num_repeats": 3, "image_dir": "10_lighthouse",
                              "class_tokens": "lighthouse", "is_reg": False},
                             {"img_count": 7, "num_repeats": 1, "image_dir": "reg",
                              "class_tokens": None, "is_reg": True}]}]
    tags = {"10_lighthouse": {"sea": 12, " night sky": 5, "lamp": 12}, "20_more": {"sea": 3}}
    metadata = {
        "ss_output_name": "lighthouse", "ss_sd_model_name": "v1-5-pruned.safetensors",
        "ss_base_model_version": "sd_v1", "ss_v2": "False", "ss_network_module": "lycoris.kohya",
        "ss_network_dim": "2", "ss_network_alpha": "1.0",
        "ss_network_args": json.dumps({"algo": "locon", "conv_dim": "4"}),
        "ss_learning_rate": "0.0001", "ss_unet_lr": "0.0001", "ss_text_encoder_lr": "5e-05",
        "ss_optimizer": "prodigyopt.prodigy.Prodigy(weight_decay=0.01)", "ss_lr_scheduler": "cosine",
        "ss_steps": "1200", "ss_max_train_steps": "1200", "ss_epoch": "10", "ss_num_epochs": "10",
        "ss_num_train_images": "60", "ss_num_reg_images": "7", "ss_seed": "42",
        "ss_training_started_at": "1714566645.25", "ss_training_finished_at": "1714570245.5",
        "ss_datasets": json.dumps(datasets), "ss_tag_frequency": json.dumps(tags),
        "ss_bucket_info": "null", "ss_noise_offset": "0.05", "ss_min_snr_gamma": "5.0",
        "ss_mixed_precision": "bf16", "ss_vae_name": "None", "ss_session_id": "123",
        "modelspec.sai_model_spec": "1.0.0", "modelspec.title": "Lighthouse",
        "modelspec.architecture": "stable-diffusion-v1/lora",
        "modelspec.thumbnail": "data:image/png;base64," + "A" * 100,
        "note": "bell \a and escape \x1b[31m", "unset": ""}
    name = "lora_unet_down_blocks_{}_attentions_0_transformer_blocks_0_attn2_to_k"
    tensors = small_lora(generator("inspect trained"), [name.format(i) for i in range(3)], 2, (320, 768))
    tensors = {k: v.half() for k, v in tensors.items()}
    return tensors, metadata | hashes(tensors, metadata)


def faulty() -> tuple[dict, dict]:
    """Sound modules, and one module for each fault."""
    names = ["sound", "missing_up", "missing_alpha", "zero_alpha", "negative_alpha", "long_alpha", "nan",
             "infinite", "rank_mismatch", "zero"]
    tensors = small_lora(generator("inspect faulty"), ["lora_unet_" + n for n in names])
    del tensors["lora_unet_missing_up.lora_up.weight"]
    del tensors["lora_unet_missing_alpha.alpha"]
    tensors["lora_unet_zero_alpha.alpha"] = torch.tensor(0.0)
    tensors["lora_unet_negative_alpha.alpha"] = torch.tensor(-1.0)
    tensors["lora_unet_long_alpha.alpha"] = torch.tensor([1.0, 2.0])
    tensors["lora_unet_nan.lora_up.weight"][0, 1] = float("nan")
    tensors["lora_unet_infinite.lora_down.weight"][1, :2] = float("inf")
    tensors["lora_unet_rank_mismatch.lora_up.weight"] = torch.ones(6, 3)
    tensors["lora_unet_zero.lora_up.weight"].zero_()
    tensors["lora_unet_lone.alpha"] = torch.tensor(1.0)
    tensors["lora_unet_stranger.weights"] = torch.ones(2)
    metadata = {"ss_network_module": "networks.lora"}
    return tensors, metadata | {"sshs_model_hash": "0" * 64, "sshs_legacy_hash": "e3b0c442"}


def measured(tensors: dict) -> dict:
    """Norm and singular values of scale * delta of every LoRA module, dense, in float64."""
    found = {}
    for key, down in tensors.items():
        if not key.endswith(".lora_down.weight"):
            continue
        name = key.removesuffix(".lora_down.weight")
        up, mid = tensors[name + ".lora_up.weight"], tensors.get(name + ".lora_mid.weight")
        kernel = down.shape[2:] if mid is None else mid.shape[2:]
        scale = float(tensors[name + ".alpha"]) / down.shape[0]
        delta = lora_delta(torch.empty(up.shape[0], down.shape[1], *kernel), up, down, mid, scale)
        values = torch.linalg.svdvals(delta.flatten(1))[: down.shape[0]]
        factors = torch.cat([t.double().flatten() for t in (up, down, mid) if t is not None])
        found[name] = {"norm": float(delta.norm()), "values": values.tolist(),
                       "mean": float(factors.abs().mean()), "max": float(factors.abs().max()),
                       "frobenius": float(factors.norm())}
    return found


def main():
    FOLDER.mkdir(exist_ok=True)
    for name, options in ALGORITHMS.items():
        save_file(lycoris(name, options), FOLDER / f"{name}.safetensors")
    tensors, metadata = trained()
    save_file(tensors, FOLDER / "trained.safetensors", metadata)
    tensors, metadata = faulty()
    save_file(tensors, FOLDER / "faulty.safetensors", metadata)
    g = generator("inspect others")
    bundle = small_lora(g, ["lora_unet_mid_block"])
    bundle["bundle_emb.lighthouse.string_to_param.*"] = random_tensor(g, 2, 768)
    save_file(bundle, FOLDER / "bundle.safetensors")
    save_file({"emb_params": random_tensor(g, 3, 768)}, FOLDER / "embedding.safetensors")
    save_file({"latents_1x8x6_bfloat16": random_tensor(g, 4, 1, 8, 6, dtype=torch.bfloat16)},
              FOLDER / "latents.safetensors",
              {"architecture": "wan", "width": "48", "height": "64", "format_version": "1.0.1"})
    save_file({"varlen_t5_bfloat16": random_tensor(g, 9, 16, dtype=torch.bfloat16)},
              FOLDER / "text.safetensors",
              {"architecture": "wan", "caption1": "a lighthouse", "format_version": "1.0.1"})
    numbers = {path: measured(load_file(FIXTURES / path)) for path in (
        "real/fashion-ddpm/trained-lora-r4.safetensors", "lora/sd1-small/kohya.safetensors",
        "inspect/locon.safetensors")}
    (FOLDER / "measured.json").write_text(json.dumps(numbers, indent=1, sort_keys=True) + "\n")


main()
