#!/usr/bin/env python3
"""Loads an adapter of lyco-extract in the programs it is written for.

usage: check-clients.py BINDIR

Makes a small model with SD1's module names and a fine-tune of it, as a diffusers folder and as a
single file; extracts linear and convolution modules of both; loads the adapter in lycoris-lora
(kohya loader and generic wrapper), diffusers, peft and by hand from safetensors. Every client
must use every key, and the change of every weight must be lyco-merge's to 1e-5 (relative
Frobenius norm, float32).

Needs scripts/requirements.txt; says so and exits with 0 where a package is missing.
"""

import copy
import logging
import os
import pathlib
import subprocess
import sys
import tempfile
import warnings

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("TQDM_DISABLE", "1")
TOLERANCE = 1e-5
RANK = 4

try:
    import torch
    from diffusers import StableDiffusionPipeline, UNet2DConditionModel
    from lycoris import kohya, wrapper
    from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
    from safetensors.torch import load_file, save_file
    from transformers import CLIPTextConfig, CLIPTextModel
except ImportError as missing:
    print(f"check-clients.py: skipped, Python has no {missing.name} (scripts/requirements.txt)")
    sys.exit(0)

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from fixtures.sd1_names import adapter_name, ldm_name  # noqa: E402

FACTORS = ("lora_up.weight", "lora_down.weight", "alpha")


class Failure(Exception):
    """A client that does not take the adapter, or takes it as something else."""


class TextEncoder(torch.nn.Module):
    """CLIPTextModel below `text_model`, the level all published SD1 checkpoints have and
    transformers 5 dropped from its modules."""

    def __init__(self, model):
        super().__init__()
        self.text_model = model


def models():
    """A UNet and a text encoder as SD1 has them, narrow, with random weights."""
    torch.manual_seed(20251122)
    unet = UNet2DConditionModel(
        sample_size=8, block_out_channels=(16, 32, 48, 48), norm_num_groups=8,
        attention_head_dim=2, cross_attention_dim=32)
    text_encoder = CLIPTextModel(CLIPTextConfig(
        vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=16, bos_token_id=62, eos_token_id=63))
    return unet.eval(), text_encoder.eval()


def named(unet, text_encoder):
    """Weights as `component/key`; `text_encoder` with or without its outer level."""
    tensors = {f"unet/{key}": value for key, value in unet.state_dict().items()}
    tensors |= {f"text_encoder/text_model.{key.removeprefix('text_model.')}": value
                for key, value in text_encoder.state_dict().items()
                if not key.endswith("position_ids")}
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


def fine_tuned(tensors):
    """The same weights with every linear and convolution changed by a tenth of its size."""
    g = torch.Generator().manual_seed(1)
    changed = {}
    for name, tensor in sorted(tensors.items()):
        is_weight = tensor.dim() > 1 and "embedding.weight" not in name
        noise = torch.randn(tensor.shape, generator=g) * (0.1 * tensor.std() if is_weight else 0.0)
        changed[name] = tensor + noise
    return changed


def write_layouts(tensors, folder):
    """The same weights as a diffusers folder and as a single file."""
    for component, file in (("unet", "diffusion_pytorch_model"), ("text_encoder", "model")):
        (folder / component).mkdir(parents=True)
        save_file({name.split("/", 1)[1]: tensor for name, tensor in tensors.items()
                   if name.startswith(component)},
                  folder / component / f"{file}.safetensors", {"format": "pt"})
    single = folder.with_suffix(".safetensors")
    save_file({ldm_name(name): tensor for name, tensor in tensors.items()}, single)
    return folder, single


def run(*command):
    words = [str(word) for word in command]
    result = subprocess.run(words, capture_output=True, text=True)
    if result.returncode != 0:
        raise Failure(f"{' '.join(words)}: status {result.returncode}: {result.stderr.strip()}")


def extract(bindir, base, tuned, out):
    run(bindir / "lyco-extract", base, tuned, "-o", out, "--mode", "fixed", "--linear_dim", RANK,
        "--conv_dim", RANK, "--save_precision", "fp32", "--family", "sd1", "--no_full")
    return load_file(out)


def merged_delta(bindir, base, adapter, out, before):
    run(bindir / "lyco-merge", base, adapter, "--ratio", 1, "-o", out, "--family", "sd1")
    after = load_file(out)
    return {name: after[ldm_name(name)] - tensor for name, tensor in before.items()
            if not torch.equal(after[ldm_name(name)], tensor)}


def difference(before, after):
    return {name: after[name].float() - tensor for name, tensor in before.items()
            if not torch.equal(after[name].float(), tensor)}


def by_hand(adapter, before):
    """safetensors alone: alpha / rank * up * down."""
    deltas, used = {}, set()
    for name, tensor in before.items():
        module = adapter_name(name)
        if not name.endswith(".weight") or f"{module}.lora_up.weight" not in adapter:
            continue
        up, down, alpha = (adapter[f"{module}.{factor}"] for factor in FACTORS)
        used |= {f"{module}.{factor}" for factor in FACTORS}
        deltas[name] = (float(alpha) / down.shape[0]
                        * (up.flatten(1) @ down.flatten(1)).reshape(tensor.shape))
    expect_all(adapter, used)
    return deltas


def expect_all(adapter, used):
    unused = sorted(set(adapter) - set(used))
    if unused:
        raise Failure(f"{len(unused)} of {len(adapter)} keys unused, first {unused[0]}")


def in_kohya(path, adapter, unet, text_encoder):
    # On a diffusers UNet 4.1.3 stops before it reads the file: its default targets meet the time
    # embedding by class and by name. Whoever loads there has to narrow them first.
    kohya.LycorisNetworkKohya.apply_preset({"unet_target_module": ["Transformer2DModel"]})
    text_encoder = TextEncoder(text_encoder)
    network, _ = kohya.create_network_from_weights(1.0, str(path), None, text_encoder, unet)
    modules = network.unet_loras + network.text_encoder_loras
    expect_all(adapter, {f"{module.lora_name}.{key}" for module in modules
                         for key in module.state_dict()})
    for module in modules:
        module.merge_to(1.0)
    return named(unet, text_encoder)


def in_wrapper(path, adapter, unet, text_encoder):
    text_encoder, used = TextEncoder(text_encoder), set()
    for prefix, model in (("lora_unet", unet), ("lora_te", text_encoder)):
        wrapper.LycorisNetwork.apply_preset({"lora_prefix": prefix})
        network, _ = wrapper.create_lycoris_from_weights(1.0, str(path), model)
        used |= {f"{module.lora_name}.{key}" for module in network.loras
                 for key in module.state_dict()}
        network.merge_to(1.0)
    expect_all(adapter, used)
    return named(unet, text_encoder)


def in_diffusers(path, adapter, unet, text_encoder):
    """`load_lora_weights` of a pipeline that has nothing but the two models."""
    pipeline = StableDiffusionPipeline(
        vae=None, text_encoder=text_encoder, tokenizer=None, unet=unet, scheduler=None,
        safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    pipeline.load_lora_weights(str(path.parent), weight_name=path.name)
    loaded = sum(name.endswith("lora_A.default_0.weight") for model in (unet, text_encoder)
                 for name, _ in model.named_parameters())
    stored = sum(key.endswith("lora_down.weight") for key in adapter)
    if loaded != stored:
        raise Failure(f"{loaded} of {stored} modules loaded")
    pipeline.fuse_lora()
    pipeline.unload_lora_weights()
    return named(unet, text_encoder)


def in_peft(path, adapter, unet, text_encoder):
    """One PeftModel per component, from the factors under peft's names."""
    used, merged = set(), []
    for component, model in (("unet", unet), ("text_encoder", TextEncoder(text_encoder))):
        state, ranks, alphas = {}, {}, {}
        for path_in_model, _ in model.named_modules():
            module = adapter_name(f"{component}/{path_in_model}")
            if f"{module}.lora_up.weight" not in adapter:
                continue
            up, down, alpha = (adapter[f"{module}.{factor}"] for factor in FACTORS)
            used |= {f"{module}.{factor}" for factor in FACTORS}
            state[f"base_model.model.{path_in_model}.lora_A.weight"] = down
            state[f"base_model.model.{path_in_model}.lora_B.weight"] = up
            pattern = "^" + path_in_model.replace(".", r"\.")
            ranks[pattern], alphas[pattern] = down.shape[0], float(alpha)
        modules = [key[len("base_model.model."):-len(".lora_A.weight")] for key in state
                   if key.endswith("lora_A.weight")]
        wrapped = get_peft_model(model, LoraConfig(target_modules=modules, rank_pattern=ranks,
                                                   alpha_pattern=alphas))
        result = set_peft_model_state_dict(wrapped, state)
        unexpected = list(result.unexpected_keys)
        missing = [key for key in result.missing_keys if "lora_" in key]
        if unexpected or missing:
            raise Failure(f"unexpected keys {unexpected[:1]}, missing keys {missing[:1]}")
        merged.append(wrapped.merge_and_unload())
    expect_all(adapter, used)
    return named(*merged)


def compare(found, expected):
    """The worst relative error over all weights."""
    if found.keys() != expected.keys():
        odd = sorted(found.keys() ^ expected.keys())
        raise Failure(f"changes {len(found)} tensors, lyco-merge {len(expected)}; first {odd[0]}")
    worst = max((float((found[name] - delta).norm() / delta.norm()), name)
                for name, delta in expected.items())
    if worst[0] > TOLERANCE:
        raise Failure(f"{worst[1]}: change differs by {worst[0]:.2g}")
    return worst[0]


def main(bindir):
    unet, text_encoder = models()
    before = named(unet, text_encoder)
    failed = False

    def report(name, check):
        nonlocal failed
        try:
            print(f"{name}: {check()}", flush=True)
        except Exception as failure:  # whatever a client raises is the finding
            failed = True
            print(f"{name}: FAILED: {failure}", flush=True)

    with tempfile.TemporaryDirectory() as folder_name:
        folder = pathlib.Path(folder_name)
        base, base_file = write_layouts(before, folder / "base")
        tuned, tuned_file = write_layouts(fine_tuned(before), folder / "tuned")
        path = folder / "adapter.safetensors"
        adapter = extract(bindir, base_file, tuned_file, path)
        expected = merged_delta(bindir, base_file, path, folder / "merged.safetensors", before)
        modules = sum(key.endswith(".lora_up.weight") for key in adapter)
        print(f"{modules} modules, {len(adapter)} keys, {len(expected)} weights changed")

        def from_folder():
            other = extract(bindir, base, tuned, folder / "from-folder.safetensors")
            if other.keys() != adapter.keys():
                raise Failure(f"other keys, first {sorted(other.keys() ^ adapter.keys())[0]}")
            return f"worst {compare(by_hand(other, before), expected):.1e}"

        def client(load):
            def check():
                after = load(path, adapter, copy.deepcopy(unet), copy.deepcopy(text_encoder))
                return f"worst {compare(difference(before, after), expected):.1e}"
            return check

        report("safetensors", lambda: f"worst {compare(by_hand(adapter, before), expected):.1e}")
        report("extracted from a diffusers folder", from_folder)
        with torch.no_grad():
            report("lycoris-lora, kohya loader", client(in_kohya))
            report("lycoris-lora, generic wrapper", client(in_wrapper))
            report("diffusers", client(in_diffusers))
            report("peft", client(in_peft))
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__.split("\n\n")[1])
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    try:
        sys.exit(main(pathlib.Path(sys.argv[1])))
    except Failure as failure:
        sys.exit(f"check-clients.py: {failure}")
