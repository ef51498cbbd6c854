#!/usr/bin/env python3
"""Judges lyco-sample by what it draws: with adapters for a class that the small pipelines of
Fixtures/training have never seen, and without.

usage: judge-sampling.py BINDIR [--base FOLDER...] [--only NAME...] [--sampler NAME...] [--steps N]
                         [--count N] [--keep FOLDER]

--base: the pipelines, Fixtures/training/tiny and tiny-sdxl by default. Adapters (lora, lokr) are
trained on 48 bags for N (300) steps of 4 pictures. lyco-sample and diffusers' own pipeline draw N
(100) bags and a tenth of that of each other class, with the same seeds, and a CNN says what they
show: the shares it recognizes must be within APART of each other, and pixels of one seed within a
level of 255 but for OFF of them. Prints Markdown; ends with status 1 if one fails. --keep leaves
files and pictures there.

Needs scripts/requirements.txt; says so and exits with 0 where a package is missing.
"""

import argparse
import json
import logging
import pathlib
import sys
import tempfile
import types
import warnings

import judging

try:
    import numpy as np
    import torch
    from diffusers import DDIMScheduler, EulerDiscreteScheduler
    from PIL import Image

    from clients import adapter, trained
    from clients.tools import run
    from fixtures.training.tiny import bags, pictures, pipeline
    from fixtures.training.tiny.judge import Judge
except ImportError as missing:
    judging.skip(missing)

BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
SCHEDULERS = {"ddim": DDIMScheduler(**BETAS, clip_sample=False),
              "euler": EulerDiscreteScheduler(**BETAS)}
"""As sd-scripts set them, but that DDIM does not hold estimates to -1...1."""
STEPS, GUIDANCE = 25, 2.0

APART = 0.05
"""Of the share of pictures that are recognized."""
OFF = 1e-3
"""Of the pixels' bytes. Latents of both differ by some 1e-5, so a byte here and there is rounded the
other way, none of 2280 pictures by more; Euler in place of DDIM moves 0.46 of them, another seed 0.77."""
LEAST, MOST = 0.5, 0.1
"""Bags with an adapter and without one: that two programs draw the same says nothing if neither draws
what was learned. judge-training.py finds 0.8 and more with these, and 0.01 at most without."""
RANK, RATES = 8, {"lora": 2e-3, "lokr": 4e-3}


def asked(count):
    """Captions with their class and seeds."""
    yield pictures.caption(pictures.HELD_OUT), pictures.HELD_OUT, range(count)
    for label in range(len(pictures.CLASSES)):
        if label != pictures.HELD_OUT:
            yield pictures.caption(label), label, range(1000, 1000 + max(1, count // 10))


def by_lyco(bindir, base, file, sampler, count, folder):
    """Pictures `[n, 64, 64, 3]` in the order of `asked`, one byte a colour."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{caption} --d {seed}" for caption, _, seeds in asked(count) for seed in seeds]
    (folder / "prompts.txt").write_text("\n".join(lines) + "\n")
    said = json.loads(run(
        bindir / "lyco-sample", "--base", base, *([file] if file else []),
        "--prompts", folder / "prompts.txt", "--width", pictures.SIZE, "--height", pictures.SIZE,
        "--scale", GUIDANCE, "--steps", STEPS, "--sampler", sampler, "--overwrite",
        "-o", f"{folder}/", "--json").stdout)
    return np.stack([np.asarray(Image.open(picture["file"]).convert("RGB"))
                     for picture in said["pictures"]])


@torch.no_grad()
def by_diffusers(loaded, sampler, count):
    """The same by the pipeline's own call, noise of each picture from torch's generator by its seed."""
    loaded.scheduler = SCHEDULERS[sampler]
    drawn = []
    for caption, _, seeds in asked(count):
        drawn += loaded(
            [caption] * len(seeds), num_inference_steps=STEPS, guidance_scale=GUIDANCE,
            generator=[torch.Generator().manual_seed(seed) for seed in seeds]).images
    return np.stack([np.asarray(image) for image in drawn])


def adapted(base, file, name):
    """diffusers' pipeline with an adapter, by its own loader or by lycoris-lora."""
    loaded = pipeline.load(base)
    if name in trained.IN_DIFFUSERS:
        loaded.load_lora_weights(file.parent, weight_name=file.name)
    elif file:
        adapter.apply(loaded, file)
    return loaded


def recognized(judge, drawn, labels):
    """Shares of bags and of the other classes that the judge calls what they were to be."""
    pixels = torch.from_numpy(drawn).permute(0, 3, 1, 2).float() / 127.5 - 1
    right, bag = judge.labels(pixels) == labels, labels == pictures.HELD_OUT
    return {"bags": float(right[bag].float().mean()), "others": float(right[~bag].float().mean())}


def judged(bindir, base, file, name, sampler, count, folder):
    """A row of the table, and what is wrong with it."""
    judge = Judge.load(bags.folder_of(base))
    labels = torch.tensor([label for _, label, seeds in asked(count) for _ in seeds])
    ours = by_lyco(bindir, base, file, sampler, count, folder)
    theirs = by_diffusers(adapted(base, file, name), sampler, count)
    away = np.abs(ours.astype(int) - theirs)
    off = float((away > 1).mean())
    found, expected = (recognized(judge, drawn, labels) for drawn in (ours, theirs))
    row = [base.name, name or "–", sampler,
           *(f"{shares[kind]:.0%}" for kind in found for shares in (found, expected)),
           *(f"{int((away <= level).all((1, 2, 3)).sum())} of {len(ours)}" for level in (0, 1)),
           str(away.max()), f"{off:.1e}"]
    faults = [f"{found[kind]:.0%} of {kind} recognized, of diffusers' {expected[kind]:.0%}"
              for kind in found if abs(found[kind] - expected[kind]) > APART]
    if off > OFF:
        faults.append(f"{off:.2%} of the bytes are more than a level from diffusers'")
    if name and found["bags"] < LEAST:
        faults.append(f"{found['bags']:.0%} bags, expected at least {LEAST:.0%}")
    if not name and found["bags"] > MOST:
        faults.append(f"{found['bags']:.0%} bags, expected at most {MOST:.0%}")
    return row, [f"{base.name}, {name or 'no adapter'}, {sampler}: {fault}" for fault in faults]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("bindir", type=pathlib.Path)
    parser.add_argument("--base", type=pathlib.Path, nargs="+",
                        default=[trained.TINY, trained.TINY_SDXL])
    parser.add_argument("--only", nargs="+", choices=RATES, default=list(RATES))
    parser.add_argument("--sampler", nargs="+", choices=SCHEDULERS, default=list(SCHEDULERS))
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--keep", type=pathlib.Path)
    options = parser.parse_args()
    faults = []
    print("| base | adapter | sampler | bags | in diffusers | others right | in diffusers "
          "| equal | within a level | worst level | further off |")
    print("| --- " * 11 + "|")
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or pathlib.Path(temporary)
        bench = types.SimpleNamespace(binaries=options.bindir, folder=folder)
        for base in options.base:
            files = {None: None}
            for name in options.only:
                files[name] = trained.Run(
                    bench, name, *trained.ALGORITHMS[name], base=base, rank=RANK,
                    steps=options.steps, rate=RATES[name]).file
            for name, file in files.items():
                for sampler in options.sampler:
                    row, found = judged(
                        options.bindir, base, file, name, sampler, options.count,
                        folder / "drawn" / f"{base.name}-{name or 'base'}-{sampler}")
                    print(f"| {' | '.join(row)} |", flush=True)
                    faults += found
    for fault in faults:
        print(f"judge-sampling.py: {fault}", file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    main()
