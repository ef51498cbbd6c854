#!/usr/bin/env python3
"""Makes Fixtures/training/tiny: a small pipeline of Stable Diffusion 1's structure, trained from
scratch on Fashion-MNIST without its bags, and pictures of bags to train an adapter with.

usage: make-tiny-diffusion.py FOLDER --mnist FOLDER --merges FILE [--parts PART...]

--mnist is the folder of the IDX files (Debian: /usr/share/datasets/fashion-mnist, of the package
dataset-fashion-mnist; MIT), --merges the CLIP tokenizer's merges (bpe_simple_vocab_16e6.txt.gz of
OpenAI's CLIP; MIT). Parts, in this order, each reading what the ones before wrote:

vae        AutoencoderKL of four blocks: L1, L2 and a little KL, on all ten classes; then each latent
           channel is brought to mean 0 and deviation 1 / 0.18215 by the quantizing convolutions,
           so that Stable Diffusion's own scaling factor is right
diffusion  CLIP text model and UNet, jointly, epsilon prediction on nine classes, one caption in ten
           left out, an average of the weights kept
judge      a small CNN on pictures of all ten classes, as they are and as the VAE gives them back
pictures   bags: a folder in kohya's layout to train with, another to validate with, and the noise
           and timesteps of the validation

Seeded: the same versions, thread count and processor write the same bytes; other ones a pipeline as
good. The committed folder was made with scripts/requirements.txt on one thread, in about half an
hour on a processor of its own.
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
from tiny import autoencoder, bags, diffusion, judge  # noqa: E402

PARTS = {"vae": autoencoder.make, "diffusion": diffusion.make, "judge": judge.make,
         "pictures": bags.make}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--mnist", type=pathlib.Path, required=True)
    parser.add_argument("--merges", type=pathlib.Path, required=True)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    options = parser.parse_args()
    for name, make in PARTS.items():
        if name in options.parts:
            start = time.perf_counter()
            torch.manual_seed(20251122)
            print(f"{name}: {make(options)}, {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
