"""Adapters in the spellings that programs and trainers have used, merged into checkpoints in native names:
the change of every weight must be that of the factors, and no other weight may change. What cannot be told
or read must be one line that names it, or a warning before a file is written."""

import json
import subprocess

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers.pytorch_utils import Conv1D

from .tools import TOLERANCE, Failure, run

WIDTH = 64
RANK, ALPHA = 4, 2.0
PEFT = ("lora_B.weight", "lora_A.weight")
KOHYA = ("lora_up.weight", "lora_down.weight")


def swapped(delta):
    return torch.cat(delta.chunk(2)[::-1])


FINAL = "final_layer.adaLN_modulation.1.weight"
FLUX = {"img_in.weight": (WIDTH, WIDTH), "double_blocks.0.img_attn.qkv.weight": (3 * WIDTH, WIDTH),
        "double_blocks.0.img_attn.proj.weight": (WIDTH, WIDTH),
        "single_blocks.0.linear1.weight": (7 * WIDTH, WIDTH), FINAL: (2 * WIDTH, WIDTH)}
PROJECTION = ("flux", FLUX, "double_blocks.0.img_attn.proj.weight", None)
SD3 = {"x_embedder.proj.weight": (WIDTH, 16, 2, 2), FINAL: (2 * WIDTH, WIDTH),
       "joint_blocks.0.x_block.attn.qkv.weight": (3 * WIDTH, WIDTH)}
WAN = {"blocks.0.self_attn.k.weight": (WIDTH, WIDTH), "blocks.0.ffn.0.weight": (4 * WIDTH, WIDTH)}
DENOISER = "model.diffusion_model.input_blocks.{}.1.transformer_blocks.0.attn1.{}.weight"
SD1 = {DENOISER.format(1, "to_q"): (WIDTH, WIDTH), DENOISER.format(1, "to_out.0"): (WIDTH, WIDTH)}
SDXL = {DENOISER.format(4, "to_q"): (WIDTH, WIDTH), DENOISER.format(4, "to_out.0"): (WIDTH, WIDTH),
        "conditioner.embedders.1.model.text_projection": (WIDTH, WIDTH)}
OLD_SD1 = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor."
OLD_SDXL = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.processor."
OLD = ("{}_lora.up.weight", "{}_lora.down.weight")

CASES = [
    # What it is called, the model with the weight that it is for and how, the module, its two endings.
    ("flux: the last modulation of diffusers", ("flux", FLUX, FINAL, swapped),
     "transformer.norm_out.linear", PEFT),
    ("sd3: the last modulation of diffusers", ("sd3", SD3, FINAL, swapped),
     "transformer.norm_out.linear", PEFT),
    *((f"a named adapter of PEFT: {name}", PROJECTION,
       "transformer.transformer_blocks.0.attn.to_out.0",
       (f"lora_B.{name}.weight", f"lora_A.{name}.weight")) for name in ("default", "style", "adapter_0")),
    *((f"wrapped as {wrapper}", PROJECTION, wrapper + module, PEFT) for wrapper, module in (
        ("transformer.base_model.model.", "transformer_blocks.0.attn.to_out.0"),
        ("base_model.model.transformer.", "transformer_blocks.0.attn.to_out.0"),
        ("base_model.model.", "transformer_blocks.0.attn.to_out.0"),
        ("diffusion_model.", "double_blocks.0.img_attn.proj"),
        ("base_model.model.diffusion_model.", "double_blocks.0.img_attn.proj"),
        ("model.diffusion_model.", "double_blocks.0.img_attn.proj"))),
    ("sdxl: CLIP's projection, which OpenCLIP keeps transposed",
     ("sdxl", SDXL, "conditioner.embedders.1.model.text_projection", torch.t),
     "lora_te2_text_projection", KOHYA),
    *((f"{family}: processors of old diffusers, {prefix or 'no prefix'}, {layer}",
       (family, base, DENOISER.format(block, layer), None),
       prefix + old, tuple(end.format(layer.removesuffix(".0")) for end in OLD))
      for family, base, block, old in (("sd1", SD1, 1, OLD_SD1), ("sdxl", SDXL, 4, OLD_SDXL))
      for prefix in ("", "unet.") for layer in ("to_q", "to_out.0")),
    ("wan: dots behind kohya's prefix", ("wan", WAN, "blocks.0.self_attn.k.weight", None),
     "lora_unet_blocks_0.self_attn.k", KOHYA),
    ("wan: underscores throughout", ("wan", WAN, "blocks.0.ffn.0.weight", None),
     "lora_unet_blocks_0_ffn_0", KOHYA),
]


def model(base):
    g = torch.Generator().manual_seed(1)
    return {key: torch.randn(shape, generator=g) / 8 for key, shape in base.items()}


def pair(height, width, seed=2):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(height, RANK, generator=g) / 4, torch.randn(RANK, width, generator=g) / 4


def said(bench, tool, *arguments):
    """Status and words of a tool, in lower case and one line."""
    result = subprocess.run([str(word) for word in (bench.binaries / f"lyco-{tool}", *arguments)],
                            capture_output=True, text=True)
    return result.returncode, " ".join((result.stdout + result.stderr).lower().split())


def changes(bench, family, weights, adapter):
    paths = [bench.folder / f"spelling.{part}.safetensors" for part in ("base", "adapter", "merged")]
    save_file(weights, paths[0])
    save_file(adapter, paths[1])
    run(bench.binaries / "lyco-merge", *paths[:2], "-o", paths[2], "--family", family, "--overwrite")
    return {key: value - weights[key] for key, value in load_file(paths[2]).items()
            if not torch.equal(value, weights[key])}


def expect(found, goals):
    if found.keys() != goals.keys():
        raise Failure(f"changes {sorted(found)}, should {sorted(goals)}")
    worst = max(float((found[key] - goal).norm() / goal.norm()) for key, goal in goals.items())
    if worst > TOLERANCE:
        raise Failure(f"differs by {worst:.2g}")
    return f"worst {worst:.1e}"


def merged(bench, place, module, endings):
    family, base, key, turn = place
    height, width = base[key][0], base[key][1]
    up, down = pair(height, width)
    # Old processors have their layer within the ending.
    joint = "" if module.endswith("processor.") else "."
    adapter = {module + joint + endings[0]: up, module + joint + endings[1]: down}
    scale = 1.0
    if endings == KOHYA:
        adapter[f"{module}.alpha"] = torch.tensor(ALPHA)
        scale = ALPHA / RANK
    delta = scale * up @ down
    return expect(changes(bench, family, model(base), adapter), {key: turn(delta) if turn else delta})


def both_spellings(bench):
    """Z-Image's attention fused and in parts: equal ones count once, others are refused by name."""
    base = {"layers.0.attention.qkv.weight": (3 * WIDTH, WIDTH),
            "layers.0.attention.out.weight": (WIDTH, WIDTH)}
    up, down = pair(3 * WIDTH, WIDTH)
    adapter = {"diffusion_model.layers.0.attention.qkv.lora_B.weight": up,
               "diffusion_model.layers.0.attention.qkv.lora_A.weight": down}
    for part, rows in zip("qkv", up.chunk(3)):
        module = f"diffusion_model.layers.0.attention.to_{part}"
        adapter |= {f"{module}.lora_B.weight": rows.clone(), f"{module}.lora_A.weight": down.clone()}
    result = expect(changes(bench, "z-image", model(base), adapter),
                    {"layers.0.attention.qkv.weight": up @ down})
    adapter["diffusion_model.layers.0.attention.to_k.lora_B.weight"] *= 2
    save_file(adapter, bench.folder / "spelling.adapter.safetensors")
    status, words = said(
        bench, "merge", bench.folder / "spelling.base.safetensors",
        bench.folder / "spelling.adapter.safetensors", "-o", bench.folder / "no.safetensors",
        "--family", "z-image")
    if status != 1 or "qkv" not in words:
        raise Failure(f"unequal twins: status {status}: {words[:120]}")
    return result


def transposed(bench):
    """Conv1D of GPT-2, which keeps its weight as `[in, out]`, square too, against PEFT's own merge."""
    class Layers(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.c_attn, self.c_proj = Conv1D(3 * WIDTH, WIDTH), Conv1D(WIDTH, WIDTH)

        def forward(self, x):
            return self.c_proj(self.c_attn(x)[..., :WIDTH])
    torch.manual_seed(3)
    layers = Layers()
    weights = {key: value.clone() for key, value in layers.state_dict().items()}
    wrapped = get_peft_model(layers, LoraConfig(
        r=RANK, lora_alpha=6, target_modules=["c_attn", "c_proj"], fan_in_fan_out=True))
    for name, parameter in wrapped.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_()
    folder = bench.folder / "transposed"
    wrapped.save_pretrained(folder)
    after = wrapped.merge_and_unload().state_dict()
    goals = {key: after[key] - value for key, value in weights.items()
             if not torch.equal(after[key], value)}
    base, out = bench.folder / "transposed.safetensors", bench.folder / "transposed.out.safetensors"
    save_file(weights, base)
    run(bench.binaries / "lyco-merge", base, folder, "-o", out)
    return expect({key: value - weights[key] for key, value in load_file(out).items()
                   if not torch.equal(value, weights[key])}, goals)


def warned(bench):
    """What ComfyUI and musubi-tuner do not read is said before the file is written."""
    weights = model(FLUX)
    base, tuned = bench.folder / "warned.base.safetensors", bench.folder / "warned.tuned.safetensors"
    save_file(weights, base)
    g = torch.Generator().manual_seed(4)
    save_file({key: value + torch.randn(value.shape, generator=g) / 50
               for key, value in weights.items()}, tuned)
    options = {
        "comfy": {"ia3": ("--algo", "ia3"), "rescale": ("--algo", "diag-oft", "--linear_dim", 8, "--rescaled"),
                  "dora": ("--dora_wd", "--wd_on_output", "true", "--linear_dim", 4),
                  "sparse": ("--use_sparse_bias", "--linear_dim", 4)},
        "musubi": {"glora": ("--algo", "glora", "--linear_dim", 4), "dora": ("--dora_wd", "--linear_dim", 4)}}
    for target, kinds in options.items():
        for word, extraction in kinds.items():
            source = bench.folder / "warned.adapter.safetensors"
            run(bench.binaries / "lyco-extract", base, tuned, "-o", source, "--family", "flux",
                "--overwrite", *extraction)
            status, words = said(bench, "convert", source, "--to", target, "--family", "flux", "-o",
                                 bench.folder / "warned.out.safetensors", "--overwrite")
            if status == 0 and "warning" not in words:
                raise Failure(f"--to {target} is silent about {word}")
    return f"{sum(map(len, options.values()))} kinds of modules"


def foreign(bench):
    """Files of other kinds are called by their names."""
    files = {"onnx": b"\x08\x07\x12\x07pytorch" + bytes(64), "numpy": b"\x93NUMPY\x01\x00" + bytes(64),
             "png": b"\x89PNG\r\n\x1a\n" + bytes(64), "gguf": b"GGUF\x03\x00\x00\x00" + bytes(64)}
    for kind, data in files.items():
        path = bench.folder / f"foreign.{'npy' if kind == 'numpy' else kind}"
        path.write_bytes(data)
        status, words = said(bench, "inspect", path)
        if status != 1 or kind not in words.replace(str(path).lower(), ""):
            raise Failure(f"{kind}: status {status}: {words[:120]}")
    return ", ".join(files)


def packed(bench):
    """Codes of four bits, whose map is none that is known: every tool refuses the file, and calls it NF4."""
    def weights(seed):
        g = torch.Generator().manual_seed(seed)
        key = "double_blocks.0.img_attn.proj.weight"
        state = json.dumps({"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16",
                            "shape": [WIDTH, WIDTH]}).encode()
        return {key: torch.randint(0, 255, (WIDTH * WIDTH // 2, 1), dtype=torch.uint8, generator=g),
                f"{key}.absmax": torch.rand(WIDTH, generator=g),
                f"{key}.quant_map": torch.linspace(-1, 1, 16),
                f"{key}.quant_state.bitsandbytes__nf4": torch.tensor(list(state), dtype=torch.uint8)}
    a, b, adapter, out = (bench.folder / f"packed.{name}.safetensors" for name in ("a", "b", "lora", "out"))
    save_file(weights(0), a)
    save_file(weights(1), b)
    up, down = pair(WIDTH, WIDTH)
    name = "lora_unet_double_blocks_0_img_attn_proj"
    save_file({f"{name}.lora_up.weight": up, f"{name}.lora_down.weight": down}, adapter)
    for tool, arguments in (
            ("convert", (a, b, "--ratio", 0.5)), ("convert", (a, "--save_precision", "fp16")),
            ("extract", (a, b)), ("merge", (a, adapter, "--family", "flux"))):
        status, words = said(bench, tool, *arguments, "-o", out)
        if status != 1 or "nf4" not in words or out.exists():
            raise Failure(f"lyco-{tool}: status {status}: {words[:120]}")
    return "refused by name"


def checks(bench):
    for name, place, module, endings in CASES:
        yield f"merged as spelled: {name}", lambda place=place, module=module, endings=endings: merged(
            bench, place, module, endings)
    yield "z-image fused and in parts", lambda: both_spellings(bench)
    yield "peft's transposed layers", lambda: transposed(bench)
    yield "what programs do not read is said", lambda: warned(bench)
    yield "files of other kinds are named", lambda: foreign(bench)
    yield "codes of four bits are no numbers", lambda: packed(bench)
