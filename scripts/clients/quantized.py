"""Weights that bitsandbytes and comfy_kitchen store as codes, and scaled fp8: what is merged, extracted and summed is
what the same computation on the library's own dequantized weights gives. What is not read is refused by name."""

import subprocess

import torch
from fixtures import quantizers
from safetensors.torch import load_file, save_file

from .tools import Failure, run

TOLERANCE = 1e-5
"""Relative Frobenius norm of W', of the change and of the sum. All is computed and stored in float32."""

CASES = quantizers.CASES | {
    "comfy-fp8": (quantizers.comfy("TensorCoreFP8Layout", "float8_e4m3fn"), quantizers.SMALL),
    "fp8-tensor": (quantizers.scaled("tensor"), quantizers.SMALL),
    "fp8-rows": (quantizers.scaled("rows"), quantizers.SMALL),
    "fp8-blocks": (quantizers.scaled("blocks"), quantizers.SMALL),
}

RANK = 2


def adapter(dense):
    """Factors for every layer, and their product."""
    tensors, changes = {}, {}
    for key, weight in dense.items():
        name = "lora_unet_" + key.removesuffix(".weight").replace(".", "_")
        up, down = torch.randn(len(weight), RANK) / 8, torch.randn(RANK, weight.shape[1]) / 8
        tensors |= {f"{name}.lora_up.weight": up, f"{name}.lora_down.weight": down,
                    f"{name}.alpha": torch.tensor(1.0)}
        changes[key] = up.double() @ down.double() / RANK
    return tensors, changes


def compared(title, found, expected):
    if not found.keys() >= expected.keys():
        raise Failure(f"{title}: lacks {sorted(expected.keys() - found.keys())[0]}")
    worst = max((float((found[key].double() - value).norm() / value.norm()), key)
                for key, value in expected.items())
    if worst[0] > TOLERANCE:
        raise Failure(f"{title}: {worst[1]} differs by {worst[0]:.2g}")
    return f"{title} {worst[0]:.1e}"


def computed(bench, name, quantize, shapes):
    torch.manual_seed(7)
    files = {}
    for part in ("base", "tuned"):
        stored, dense, metadata = quantizers.checkpoint(quantize, shapes)
        if any(key.endswith(".scale_weight") for key in stored):
            stored["scaled_fp8"] = torch.zeros(2, dtype=torch.float8_e4m3fn)
        dense["final.weight"] += 0.5 * (part == "tuned")
        stored["final.weight"] = dense["final.weight"]
        path = bench.folder / f"{name}.{part}.safetensors"
        save_file(stored, path, metadata)
        files[part] = (path, {key: value.double() for key, value in dense.items()})
    (base, numbers), (tuned, others) = files["base"], files["tuned"]
    options = ["--family", "generic", "--overwrite"]
    out = bench.folder / f"{name}.out.safetensors"
    factors, changes = adapter(numbers)
    path = bench.folder / f"{name}.adapter.safetensors"
    save_file(factors, path)
    run(bench.binaries / "lyco-merge", base, path, "--ratio", 0.5, "-o", out,
        "--save_precision", "fp32", *options)
    results = [compared("merged", load_file(out), {
        key: value + 0.5 * changes[key] for key, value in numbers.items()})]
    run(bench.binaries / "lyco-extract", base, tuned, "--algo", "full", "-o", out,
        "--save_precision", "fp32", *options)
    results.append(compared("extracted", load_file(out), {
        key.removesuffix("weight") + "diff": others[key] - value for key, value in numbers.items()}))
    run(bench.binaries / "lyco-convert", base, tuned, "--ratio", 0.25, "-o", out,
        "--save_precision", "fp32", *options)
    results.append(compared("summed", load_file(out), {
        key: 0.75 * value + 0.25 * others[key] for key, value in numbers.items()}))
    return ", ".join(results)


def refused(bench, path, word):
    """No tool takes numbers of it, and each says what it is."""
    adapted = bench.folder / "refused.adapter.safetensors"
    save_file({"lora_unet_blocks_0_to_q.lora_up.weight": torch.ones(64, 1),
               "lora_unet_blocks_0_to_q.lora_down.weight": torch.ones(1, 256)}, adapted)
    out = bench.folder / "refused.out.safetensors"
    commands = {"lyco-merge": [path, adapted], "lyco-extract": [path, path],
                "lyco-convert": [path, path, "--ratio", "0.5"]}
    for tool, words in commands.items():
        result = subprocess.run(
            [str(word) for word in [bench.binaries / tool, *words, "-o", out, "--family", "generic"]],
            capture_output=True, text=True)
        if result.returncode != 1 or word.lower() not in result.stderr.lower() or out.exists():
            raise Failure(f"{tool}: status {result.returncode}: {result.stderr.strip()}")
    return f"{', '.join(commands)} refuse it"


def blocks_of_gguf(bench):
    """As a file of GGUF, and its blocks in a file of safetensors."""
    import gguf
    weight, results = quantizers.random_weight((64, 256)).numpy(), []
    for kind in (gguf.GGMLQuantizationType.Q8_0, gguf.GGMLQuantizationType.Q4_0,
                 gguf.GGMLQuantizationType.Q4_1, gguf.GGMLQuantizationType.Q5_0):
        blocks = gguf.quants.quantize(weight, kind)
        path = bench.folder / f"{kind.name}.safetensors"
        save_file({"blocks.0.to_q.weight": torch.from_numpy(blocks)}, path)
        results.append(f"{kind.name}: {refused(bench, path, 'GGUF')}")
    path = bench.folder / "model.gguf"
    writer = gguf.GGUFWriter(path, "flux")
    writer.add_tensor("blocks.0.to_q.weight", weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    results.append(f"a file: {refused(bench, path, 'GGUF')}")
    return "; ".join(results)


def checks(bench):
    def skipping(check):
        def checked():
            try:
                return check()
            except ImportError as missing:
                return f"skipped, Python has no {missing.name}"
        return checked
    for name, (quantize, shapes) in CASES.items():
        yield (f"weights of {name}", skipping(
            lambda name=name, quantize=quantize, shapes=shapes: computed(bench, name, quantize, shapes)))
    yield "blocks of GGUF", skipping(lambda: blocks_of_gguf(bench))
