#!/usr/bin/env python3
"""Makes Fixtures/training/tiny and tiny-sdxl: small pipelines of the structure of Stable Diffusion 1
and XL, trained from scratch on Fashion-MNIST without its bags, and pictures of bags to train an
adapter with.

usage: make-tiny-diffusion.py FOLDER --mnist FOLDER --merges FILE [--family NAME] [--like FOLDER]
                              [--parts PART...]

--mnist is the folder of the IDX files (Debian: /usr/share/datasets/fashion-mnist, of the package
dataset-fashion-mnist; MIT), --merges the CLIP tokenizer's merges (bpe_simple_vocab_16e6.txt.gz of
OpenAI's CLIP; MIT). --family: sd1 (default) or sdxl. --like: a pipeline made before, whose VAE is
taken over, brought to the scaling factor of the family; its judge and its pictures serve this one
too, and are not made again. Parts, in this order, each reading what the ones before wrote:

vae        AutoencoderKL of four blocks: L1, L2 and a little KL, on all ten classes; then each latent
           channel is brought to mean 0 and deviation 1 / 0.18215 (XL: 1 / 0.13025) by the quantizing
           convolutions, so that Stable Diffusion's own scaling factor is right
diffusion  text encoders and UNet, jointly, epsilon prediction on nine classes, one caption in ten
           left out, an average of the weights kept; for XL one picture in four is enlarged and cut,
           as its sizes say
judge      a small CNN on pictures of all ten classes, as they are and as the VAE gives them back
pictures   bags: a folder in kohya's layout to train with, another to validate with, and the noise
           and timesteps of the validation

Seeded: the same versions, thread count and processor write the same bytes; other ones a pipeline as
good. The committed folders were made with scripts/requirements.txt on one thread, the first in about
half an hour on a processor of its own, the second in 20 minutes:

make-tiny-diffusion.py Fixtures/training/tiny --mnist … --merges …
make-tiny-diffusion.py Fixtures/training/tiny-sdxl --family sdxl --like Fixtures/training/tiny …
"""

import argparse
import os
import pathlib
import sys
import time

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import torch  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from tiny import autoencoder, bags, diffusion, families, judge  # noqa: E402

PARTS = {"vae": autoencoder.make, "diffusion": diffusion.make, "judge": judge.make,
         "pictures": bags.make}
OF_LIKE = ("judge", "pictures")
"""Parts that --like stands in for."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--mnist", type=pathlib.Path, required=True)
    parser.add_argument("--merges", type=pathlib.Path, required=True)
    parser.add_argument("--family", choices=families.FAMILIES, default="sd1")
    parser.add_argument("--like", type=pathlib.Path)
    parser.add_argument("--parts", nargs="+", choices=PARTS)
    options = parser.parse_args()
    options.family = families.FAMILIES[options.family]
    if not options.parts:
        options.parts = [name for name in PARTS if not options.like or name not in OF_LIKE]
    for name, make in PARTS.items():
        if name in options.parts:
            start = time.perf_counter()
            torch.manual_seed(20251122)
            print(f"{name}: {make(options)}, {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
