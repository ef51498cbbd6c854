"""What lyco-convert writes, in the programs it is written for."""

import torch
from peft import LoHaConfig, LoKrConfig, LoraConfig, PeftModel
from safetensors.torch import load_file, save_file

from . import lora, training, written
from .model import TextEncoder, named
from .tools import Failure, compare, difference, run

EXTRACTED = {
    "LoRA": (), "DoRA": ("--dora_wd", "--wd_on_output", "true"), "LoHa": ("--algo", "loha"),
    "LoKr": ("--algo", "lokr", "--factor", "4", "--exclude_patterns", ".*conv_(in|out)"),
    "LoKr, most even": ("--algo", "lokr", "--factor", "-1"),
}
"""Options of lyco-extract. PEFT has DoRA for LoRA alone, and divides layers of fewer channels than the
factor's square differently from LyCORIS."""

FROM_PEFT = {
    "LoRA": LoraConfig(r=4, lora_alpha=6, target_modules=written.LAYERS),
    "LoRA of several ranks": LoraConfig(
        r=4, lora_alpha=6, target_modules=written.LAYERS, rank_pattern={"to_q": 2, "conv1": 3},
        alpha_pattern={"to_v": 5}),
    "LoRA, rank-stabilized": LoraConfig(
        r=4, lora_alpha=6, target_modules=written.LAYERS, use_rslora=True),
    "DoRA": LoraConfig(r=4, lora_alpha=6, target_modules=written.LAYERS, use_dora=True),
    "LoHa": LoHaConfig(r=4, alpha=6, target_modules=written.LAYERS),
    "LoKr": LoKrConfig(r=2, alpha=3, target_modules=written.LAYERS),
    "LoKr, both factored": LoKrConfig(
        r=1, alpha=3, target_modules=written.LAYERS, decompose_both=True),
    "LoKr, both whole": LoKrConfig(r=64, alpha=48, target_modules=written.LAYERS),
}


def convert(bench, source, name, *options):
    target = bench.folder / name
    run(bench.binaries / "lyco-convert", source, "-o", target, "--family", "sd1", *options)
    return target


def with_alphas(bench, name, *options):
    """An extraction of several ranks whose every module has an alpha of its own."""
    path, adapter = bench.extract(name, "--mode", "fixed", "--linear_dim", 4, "--conv_dim", 2,
                                  "--no_full", *options)
    g = torch.Generator().manual_seed(3)
    for key in sorted(adapter):
        if key.endswith(".alpha"):
            adapter[key] = torch.randint(1, 9, (), generator=g).float() / 2
    save_file(adapter, path)
    return path, adapter


def in_peft(bench, folder):
    """The weights after `from_pretrained` of each component; every tensor must have been asked for."""
    unet, text_encoder = bench.copies()
    models = {"unet": unet, "text_encoder": TextEncoder(text_encoder)}
    for component in list(models):
        model = PeftModel.from_pretrained(models[component], folder / component)
        stored = load_file(folder / component / "adapter_model.safetensors")
        taken = {key.replace(".default", "").replace("magnitude_vector.weight", "magnitude_vector")
                 for key in model.state_dict()
                 if any(part in key for part in ("lora_", "hada_", "lokr_"))}
        if taken != set(stored):
            odd = sorted(taken ^ set(stored))
            raise Failure(f"{len(odd)} keys of {component} differ, first {odd[0]}")
        models[component] = model.merge_and_unload()
    return named(models["unet"], models["text_encoder"])


def round_trip(bench, folder, adapter):
    """kohya's names again: the same tensors to the bit, alphas as numbers. That of a LoKr whose factors
    are whole means nothing."""
    back = load_file(convert(bench, folder, "back.safetensors", "--to", "kohya"))
    if back.keys() != adapter.keys():
        raise Failure(f"{sorted(back.keys() ^ adapter.keys())[0]} after a round trip")
    for key, value in adapter.items():
        module = key.removesuffix(".alpha")
        if key != module and {f"{module}.lokr_w1", f"{module}.lokr_w2"} <= adapter.keys():
            continue
        if not torch.equal(back[key].flatten(), value.flatten()):
            raise Failure(f"{key} differs after a round trip")


def checks(bench):
    for name, options in EXTRACTED.items():
        def loaded(name=name, options=options):
            path, adapter = with_alphas(bench, f"conversion {name}", *options)
            folder = convert(bench, path, f"peft of {name}", "--to", "peft")
            changes = difference(bench.before, in_peft(bench, folder))
            result = compare(changes, bench.merged(path))
            compare(changes, bench.merged(folder))
            round_trip(bench, folder, adapter)
            return f"{result}, {len(changes)} tensors"
        yield f"peft loads what was converted: {name}", loaded

    for policy in ("fold", "config"):
        def piped(policy=policy):
            path, adapter = with_alphas(bench, f"diffusers {policy}")
            target = convert(bench, path, f"diffusers {policy} of LoRA.safetensors",
                             "--to", "diffusers", "--alpha", policy)
            unet, text_encoder = bench.copies()
            stored = {key.replace("lora_A", "lora_down"): value
                      for key, value in load_file(target).items()}
            found = lora.in_diffusers(target, stored, unet, text_encoder)
            changes = difference(bench.before, found)
            return f"{compare(changes, bench.merged(path))}, {len(changes)} tensors"
        yield f"diffusers loads what was converted, alphas by '{policy}'", piped

    for name, config in FROM_PEFT.items():
        def back(name=name, config=config):
            folder, changes = written.from_peft(bench, f"source {name}", config)
            path = convert(bench, folder, f"kohya of {name}.safetensors", "--to", "kohya")
            compare(changes, bench.merged(path))
            unet, text_encoder = bench.copies()
            found, handmade = training.loaded(load_file(path), unet, text_encoder)
            return f"{compare(found, changes)}, {len(found)} tensors, {handmade} modules by hand"
        yield f"lycoris-lora loads what was converted from peft: {name}", back
