#!/usr/bin/env python3
"""Judges adapters for a small pipeline of Fixtures/training, by their loss on bags that nothing was
trained with, and by what they draw.

usage: judge-tiny.py ADAPTER... [--base FOLDER] [--count N] [--picture FILE]
       judge-tiny.py --merged FOLDER [--base FOLDER] [--count N] [--picture FILE]

ADAPTER: a file in kohya's names, of any algorithm, which lycoris-lora applies. --base: the pipeline,
Fixtures/training/tiny by default; tiny-sdxl beside it is one of Stable Diffusion XL. --merged: a
diffusers folder that lyco-merge wrote. N (100) pictures of "a photo of a bag" are drawn by 25 steps of DDIM at
guidance 2, and a small CNN counts bags; of "a photo of a sneaker" and so on for the other nine
classes N / 10 each, to see what was forgotten. The loss is that of the validation pictures at the
stored noise. Prints one line of JSON for each: loss_base, loss_adapter, bags_base, bags_adapter,
others_base, others_adapter (shares of 1). --picture writes what was drawn, base above adapter.
"""

import argparse
import json
import logging
import pathlib
import sys
import warnings

import judging

try:
    from clients import adapter
    from fixtures.training.tiny import bags, pipeline
except ImportError as missing:
    judging.skip(missing)

TINY = pathlib.Path(__file__).resolve().parents[2] / "Fixtures" / "training" / "tiny"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("adapters", nargs="*", type=pathlib.Path)
    parser.add_argument("--merged", type=pathlib.Path)
    parser.add_argument("--base", type=pathlib.Path, default=TINY)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--picture", type=pathlib.Path)
    options = parser.parse_args()
    pictures = bags.folder_of(options.base)
    base, drawn = pipeline.verdict(pipeline.load(options.base), pictures, options.count)
    rows = [drawn]
    for path in [*options.adapters, *filter(None, [options.merged])]:
        loaded = pipeline.load(options.merged if path == options.merged else options.base)
        if path != options.merged:
            adapter.apply(loaded, path)
        found, drawn = pipeline.verdict(loaded, pictures, options.count)
        rows.append(drawn)
        print(json.dumps({"adapter": str(path)} | {
            f"{key}_{whose}": round(value, 6) for key in base
            for whose, value in (("base", base[key]), ("adapter", found[key]))}), flush=True)
    if options.picture:
        pipeline.write(options.picture, *rows)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    main()
