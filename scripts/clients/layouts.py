"""Checkpoints in the layouts that programs have: what is extracted has the names that are read, whatever layout either
file has, and put back it gives the tuned weights. Cases from the trackers of sd-scripts, ComfyUI and Forge."""

import itertools
import json
import struct

import torch
from safetensors.torch import load_file, save_file

from .tools import Failure, run

WIDTH = 64

TOLERANCE = 1e-4
"""Of a change of rank 4 that is extracted at rank 32: what f32 factors leave."""


def random(*shape):
    return torch.randn(shape) / 10


def pair(bench, name, weights):
    """The weights and others of the same shapes, as files."""
    files = []
    for part, add in (("base", 0), ("tuned", 0.05)):
        files.append(bench.folder / f"{name}.{part}.safetensors")
        save_file({key: (value + add * torch.randn(value.shape)).contiguous()
                   for key, value in weights.items()}, files[-1])
    return files


def extracted(bench, name, weights, family, *options):
    path = bench.folder / f"{name}.adapter.safetensors"
    run(bench.binaries / "lyco-extract", *pair(bench, name, weights), "-o", path, "--linear_dim", 4,
        "--family", family, "--overwrite", *options)
    return path


def modules(path):
    return {key.split(".")[0] for key in load_file(path)}


def flux():
    return {
        "img_in.weight": random(WIDTH, 16), "double_blocks.0.img_attn.qkv.weight": random(3 * WIDTH, WIDTH),
        "double_blocks.0.img_attn.proj.weight": random(WIDTH, WIDTH),
        "single_blocks.0.linear1.weight": random(7 * WIDTH, WIDTH),
    }


def in_diffusers_names(weights):
    joint = weights["double_blocks.0.img_attn.qkv.weight"].chunk(3)
    single = weights["single_blocks.0.linear1.weight"].split([WIDTH] * 3 + [4 * WIDTH])
    layers = [f"attn.to_{part}" for part in "qkv"] + ["proj_mlp"]
    named = {"x_embedder.weight": weights["img_in.weight"],
             "transformer_blocks.0.attn.to_out.0.weight": weights["double_blocks.0.img_attn.proj.weight"]}
    named |= {f"transformer_blocks.0.{layer}.weight": part for layer, part in zip(layers, joint)}
    named |= {f"single_transformer_blocks.0.{layer}.weight": part for layer, part in zip(layers, single)}
    return {key: value.contiguous() for key, value in named.items()}


def any_two_layouts_of_flux(bench):
    """Every pair of layouts, merged into either: parts of a fused weight change by one rank each."""
    torch.manual_seed(3)
    base = flux()
    parts = {"double_blocks.0.img_attn.qkv.weight": 3, "single_blocks.0.linear1.weight": 7}
    tuned = {key: value + torch.cat([random(len(value) // parts.get(key, 1), 4) @ random(4, value.shape[1])
                                     for _ in range(parts.get(key, 1))]) for key, value in base.items()}
    layouts = {"native": lambda weights: weights, "diffusers": in_diffusers_names}
    files = {}
    for (part, weights), (layout, named) in itertools.product(
            (("base", base), ("tuned", tuned)), layouts.items()):
        files[part, layout] = bench.folder / f"flux.{part}.{layout}.safetensors"
        save_file(named(weights), files[part, layout])
    adapter, merged, worst = bench.folder / "flux.adapter.safetensors", bench.folder / "flux.merged.safetensors", 0
    for first, second in itertools.product(layouts, layouts):
        run(bench.binaries / "lyco-extract", files["base", first], files["tuned", second], "-o", adapter,
            "--linear_dim", 32, "--save_precision", "fp32", "--family", "flux", "--overwrite")
        for layout, named in layouts.items():
            run(bench.binaries / "lyco-merge", files["base", layout], adapter, "-o", merged,
                "--family", "flux", "--overwrite")
            found, before, goal = load_file(merged), named(base), named(tuned)
            for key, value in goal.items():
                error = float((found[key] - value).norm() / (value - before[key]).norm())
                worst = max(worst, error)
                if error > TOLERANCE:
                    raise Failure(f"{first} and {second}, merged into {layout}: {key} is off by {error:.2g}")
    return f"worst {worst:.1e}, 8 ways"


def one_naming_of_hunyuan_video_15(bench):
    blocks = {}
    for block, stream in itertools.product(range(2), ("img", "txt")):
        start = f"double_blocks.{block}.{stream}_"
        blocks |= {f"{start}attn_qkv.weight": random(3 * WIDTH, WIDTH),
                   f"{start}mlp.fc1.weight": random(4 * WIDTH, WIDTH),
                   f"{start}mlp.fc2.weight": random(WIDTH, 4 * WIDTH),
                   f"{start}mod.linear.weight": random(6 * WIDTH, WIDTH)}
    weights = blocks | {
        "img_in.proj.weight": random(WIDTH, 65, 1, 1, 1), "byt5_in.fc1.weight": random(WIDTH, 1472),
        "time_in.mlp.0.weight": random(WIDTH, 256), "txt_in.input_embedder.weight": random(WIDTH, 96),
        "txt_in.individual_token_refiner.blocks.0.self_attn_qkv.weight": random(3 * WIDTH, WIDTH)}
    path, target = extracted(bench, "hv15", weights, "hunyuan-video-1.5"), bench.folder / "hv15.safetensors"
    run(bench.binaries / "lyco-convert", path, "-o", target, "--to", "kohya", "--family", "hunyuan-video-1.5")
    if modules(path) != modules(target):
        raise Failure(f"extracted {sorted(modules(path) - modules(target))[:1]}, converted "
                      f"{sorted(modules(target) - modules(path))[:1]}")
    if odd := [name for name in modules(path) if "mlp_fc" in name or "mod_linear" in name]:
        raise Failure(f"ComfyUI reads no {odd[0]}")
    return f"{len(modules(path))} modules"


def hunyuan_video_of_comfyui(bench):
    """As ComfyUI saves it, at its own widths and without numbers: neither Chroma nor Flux."""
    width, shapes = 3072, {}
    for name, shape in {
            "img_in.proj": (width, 16, 1, 2, 2), "txt_in.input_embedder": (width, 4096),
            "txt_in.individual_token_refiner.blocks.0.self_attn.qkv": (3 * width, width),
            "time_in.in_layer": (width, 256), "vector_in.in_layer": (width, 768),
            "guidance_in.in_layer": (width, 256), "final_layer.linear": (64, width)}.items():
        shapes[name] = shape
    for block, stream in itertools.product(range(20), ("img", "txt")):
        start = f"double_blocks.{block}.{stream}_"
        shapes |= {f"{start}attn.qkv": (3 * width, width), f"{start}mod.lin": (6 * width, width),
                   f"{start}mlp.0": (4 * width, width), f"{start}attn.norm.key_norm": (128,)}
    shapes |= {f"single_blocks.{block}.linear1": (7 * width, width) for block in range(40)}
    header, end = {}, 0
    for name, shape in shapes.items():
        start, end = end, end + 2 * torch.Size(shape).numel()
        header[name + ".weight"] = {"dtype": "BF16", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    path = bench.folder / "hv.safetensors"
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)
    [family] = [line.split()[1] for line in run(bench.binaries / "lyco-inspect", path).stdout.splitlines()
                if line.strip().startswith("family")]
    path.unlink()
    if family.rstrip(":") != "hunyuan-video":
        raise Failure(f"it is taken for {family}")
    return "hunyuan-video"


def text_encoder_of_chroma(bench):
    """ComfyUI reads its T5 as the first encoder, OneTrainer's older files have no number."""
    layer, results = "encoder_block_0_layer_0_SelfAttention_q", []
    for start in ("lora_te1_", "lora_te_"):
        source, target = (bench.folder / f"chroma.{part}.safetensors" for part in ("source", "target"))
        save_file({f"{start}{layer}.lora_up.weight": random(WIDTH, 4),
                   f"{start}{layer}.lora_down.weight": random(4, WIDTH)}, source)
        for naming, goal in (
                ("kohya", f"lora_te1_{layer}"),
                ("comfy", "text_encoders.t5xxl.transformer.encoder.block.0.layer.0.SelfAttention.q")):
            run(bench.binaries / "lyco-convert", source, "-o", target, "--to", naming, "--family", "chroma",
                "--overwrite")
            if odd := [key for key in load_file(target) if not key.startswith(goal)]:
                raise Failure(f"{start}…: --to {naming} writes {odd[0]}")
            results.append(f"{start} {naming}")
    return ", ".join(results)


def norms_of_the_unet_alone(bench):
    start = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0."
    weights = {f"{start}attn2.to_k.weight": random(32, 768), f"{start}attn1.to_q.weight": random(32, 32),
               f"{start}norm1.weight": random(32), f"{start}norm1.bias": random(32)}
    for layer in range(2):
        start = f"cond_stage_model.transformer.text_model.encoder.layers.{layer}."
        weights |= {f"{start}self_attn.q_proj.weight": random(48, 48),
                    f"{start}layer_norm1.weight": random(48), f"{start}layer_norm1.bias": random(48)}
    found = modules(extracted(bench, "norms", weights, "sd1", "--preset", "unet-only", "--norms"))
    if odd := [name for name in found if not name.startswith("lora_unet_")]:
        raise Failure(f"{odd[0]} is of the text encoder")
    if not any("norm1" in name for name in found):
        raise Failure("no norm is stored")
    return f"{len(found)} modules"


def diffusers_layouts(bench):
    """Names of diffusers are read by ComfyUI for Flux and SD3 alone."""
    lumina = {"time_caption_embed.caption_embedder.1.weight": random(96, WIDTH),
              "x_embedder.weight": random(96, WIDTH)}
    hunyuan = {"context_embedder.token_refiner.refiner_blocks.0.attn.to_q.weight": random(WIDTH, WIDTH),
               "x_embedder.proj.weight": random(WIDTH, 16, 1, 2, 2)}
    anima = {"patch_embed.proj.weight": random(WIDTH, 68)}
    for block in range(2):
        start = f"layers.{block}."
        lumina |= {f"{start}attn.to_{part}.weight": random(96 if part == "q" else 32, 96) for part in "qkv"}
        lumina[f"{start}feed_forward.linear_1.weight"] = random(96, 96)
        start = f"transformer_blocks.{block}."
        hunyuan |= {f"{start}attn.to_{part}.weight": random(WIDTH, WIDTH) for part in "qkv"}
        hunyuan[f"single_transformer_blocks.{block}.proj_out.weight"] = random(WIDTH, 5 * WIDTH)
        anima |= {f"{start}norm3.linear_1.weight": random(16, WIDTH),
                  f"{start}attn1.to_q.weight": random(WIDTH, WIDTH)}
    results = []
    for family, weights, goal in (
            ("lumina2", lumina, "lora_unet_layers_0_attention_qkv"),
            ("hunyuan-video", hunyuan, "lora_unet_double_blocks_0_img_attn_qkv"),
            ("anima", anima, "lora_unet_blocks_0_self_attn_q_proj")):
        found = modules(extracted(bench, family, weights, family))
        if goal not in found or any(name.startswith("lora_transformer_") for name in found):
            raise Failure(f"{family}: {sorted(found)[0]}")
        results.append(f"{family} {len(found)}")
    return ", ".join(results)


def checks(bench):
    yield "any two layouts of flux", lambda: any_two_layouts_of_flux(bench)
    yield "extraction from diffusers' layouts has names that are read", lambda: diffusers_layouts(bench)
    yield "one naming of HunyuanVideo 1.5", lambda: one_naming_of_hunyuan_video_15(bench)
    yield "HunyuanVideo as ComfyUI saves it", lambda: hunyuan_video_of_comfyui(bench)
    yield "the text encoder of chroma", lambda: text_encoder_of_chroma(bench)
    yield "norms of the unet alone", lambda: norms_of_the_unet_alone(bench)
