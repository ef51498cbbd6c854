#!/usr/bin/env python3
"""Judges extraction by outputs (lyco-extract --statistics) by what the merged network draws, on
Fixtures/real/fashion-ddpm, whose graph no tool here has: the moments are taken by this script.

usage: judge-outputs.py BINDIR [--ranks 4 8] [--seeds 4] [--samples 8] [--inputs-alone] [--save FILE]

The fine-tune draws --samples pictures of its class from noise, by 25 steps and with the class left out as well; what
every linear layer and convolution reads on the way, and the gradients of its outputs of a random sum of what the
guided prediction makes of the clean picture, are summed up as docs/lyco-extract.md says. For each rank: an SVD of the weights and one weighed by these
moments, of the same rank and so of the same bytes; pictures of 100 that are bags, for each seed, and the mean. The
class token is the fine-tune's, biases and norms stay the base's, as in evaluate.py. --save keeps the moments.

Exits with 1 where the weighed one has less than 8 bags more. Needs torch, diffusers and safetensors; says so and exits
with 0 where they are missing.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import judging
from fashion import BAG, NONE, PAIR, TOKEN, count_bags, load_evaluation, load_judge

LIMIT = 25  # of the noise's power over the picture's, beyond which steps count alike
GAIN = 8  # bags of 100 that the weighed extraction must have more


def watch(model, takes_gradients):
    """Sums of x·xᵀ and g·gᵀ by module, and how many places there were; filled as the model runs."""
    import torch

    sums = {}

    def hook(name, module):
        def read(module, inputs, output):
            x = inputs[0].detach()
            if isinstance(module, torch.nn.Conv2d):
                patches = torch.nn.functional.unfold(
                    x, module.kernel_size, padding=module.padding, stride=module.stride)
                rows = patches.permute(0, 2, 1).reshape(-1, patches.shape[1])
            else:
                rows = x.reshape(-1, x.shape[-1])
            entry = sums.setdefault(name, {"second": 0, "gradient": 0, "rows": 0, "samples": 0})
            entry["second"] += (rows.T @ rows).double()
            entry["rows"] += len(rows)
            entry["samples"] += len(x)

            def back(gradient):
                gradient = gradient.movedim(1, -1) if gradient.dim() == 4 else gradient
                rows = gradient.reshape(-1, gradient.shape[-1])
                entry["gradient"] += (rows.T @ rows).double()

            if takes_gradients and output.requires_grad:
                output.register_hook(back)
        return read

    for name, module in model.named_modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            module.register_forward_hook(hook(name, module))
    return sums


def gather(evaluation, weights, samples, takes_gradients):
    """A file's tensors: moments of the model on its way from noise to pictures."""
    import torch

    model = evaluation.Model()
    model.load_state_dict(weights)
    model.eval()
    generator = torch.Generator().manual_seed(1234)
    x = torch.randn(samples, 1, 16, 16, generator=generator)
    steps = torch.linspace(evaluation.T - 1, 0, 25).long()
    classes = torch.cat([torch.full((samples,), BAG), torch.full((samples,), NONE)])
    sums = watch(model, takes_gradients)
    for index, step in enumerate(steps):
        with torch.set_grad_enabled(takes_gradients):
            both = model(torch.cat([x, x]), torch.full((2 * samples,), int(step)), classes)
        a = evaluation.alphas[step]
        if takes_gradients:
            # Terms of mean 0 and variance 1 make the expected square of the sum that of what is summed up: the guided
            # prediction, as what it makes of the clean picture, where much noise is limited.
            guided = both[samples:] + 2 * (both[:samples] - both[samples:])
            share = min(float((1 - a) / a), LIMIT)
            (guided * torch.randn(guided.shape, generator=generator)).sum().mul(share ** 0.5).backward()
            model.zero_grad()
        towards, away = both.detach().chunk(2)
        noise = away + 2 * (towards - away)
        clean = ((x - (1 - a).sqrt() * noise) / a.sqrt()).clamp(-1, 1)
        noise = (x - a.sqrt() * clean) / (1 - a).sqrt()
        b = evaluation.alphas[steps[index + 1]] if index + 1 < len(steps) else torch.tensor(1.0)
        x = b.sqrt() * clean + (1 - b).sqrt() * noise
    tensors = {}
    for name, entry in sums.items():
        tensors[f"{name}.second_moment"] = (entry["second"] / entry["rows"]).float()
        tensors[f"{name}.places"] = torch.tensor(entry["rows"] / entry["samples"])
        if torch.is_tensor(entry["gradient"]):
            tensors[f"{name}.gradient_moment"] = (entry["gradient"] / entry["rows"]).float()
    return {name: tensor.contiguous() for name, tensor in tensors.items()}


def run(*command):
    words = [str(word) for word in command]
    result = subprocess.run(words, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"judge-outputs.py: {' '.join(words)}\n{result.stderr.strip()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("bindir", type=pathlib.Path)
    parser.add_argument("--ranks", type=int, nargs="+", default=[4, 8])
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--inputs-alone", action="store_true", help="no gradients")
    parser.add_argument("--save", type=pathlib.Path, help="keep the moments in this file")
    options = parser.parse_args()
    try:
        from safetensors.torch import load_file, save_file
        evaluation = load_evaluation()
    except ImportError as missing:
        judging.skip(missing)
    base, tuned = load_file(PAIR / "base.safetensors"), load_file(PAIR / "tuned.safetensors")
    judge = load_judge(evaluation)
    faults = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        moments = options.save or folder / "moments.safetensors"
        save_file(gather(evaluation, {k: v.float() for k, v in tuned.items()}, options.samples,
                         not options.inputs_alone), moments)
        print("| rank | weighed | bytes | bags by seed | mean |\n| --- | --- | --- | --- | --- |")
        for rank in options.ranks:
            means = []
            for words, more in (("no", []), ("yes", ["--statistics", moments])):
                adapter, merged = folder / "adapter.safetensors", folder / "merged.safetensors"
                run(options.bindir / "lyco-extract", PAIR / "base.safetensors",
                    PAIR / "tuned.safetensors", "-o", adapter, "--linear_dim", rank, "--no_full",
                    "--exclude_patterns", "tok", *more)
                run(options.bindir / "lyco-merge", PAIR / "base.safetensors", adapter, "--ratio", 1,
                    "-o", merged)
                weights = load_file(merged) | {TOKEN: tuned[TOKEN]}
                found = count_bags(evaluation, judge, weights, options.seeds)
                means.append(sum(found) / len(found))
                print(f"| {rank} | {words} | {adapter.stat().st_size} | {' '.join(map(str, found))} "
                      f"| {means[-1]:.1f} |", flush=True)
            if means[1] < means[0] + GAIN:
                faults.append(f"rank {rank}: {means[1]:.1f} bags, expected {means[0] + GAIN:.1f}")
    for fault in faults:
        print(f"judge-outputs.py: {fault}", file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
