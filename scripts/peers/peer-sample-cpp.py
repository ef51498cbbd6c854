#!/usr/bin/env python3
"""What lyco-sample is measured against: a picture by stable-diffusion.cpp, as PyPI's stable-diffusion-cpp-python
builds it from source for the processor that it is built on.

usage: peer-sample-cpp.py CHECKPOINT [--steps K] [--type f32|f16|bf16] [--size PIXELS] [--threads N]

K (20) steps of Euler with guidance. Prints one line of JSON: seconds of the picture, without reading weights, and the
most memory that the process held, in bytes.
"""

import argparse
import json
import resource
import time

from stable_diffusion_cpp import StableDiffusion


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("checkpoint")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--type", choices=("f32", "f16", "bf16"), default="f16")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    model = StableDiffusion(
        model_path=options.checkpoint, wtype=options.type, n_threads=options.threads, verbose=False,
        diffusion_flash_attn=True)
    start = time.perf_counter()
    model.generate_image(
        prompt="a lighthouse", negative_prompt="blurry", width=options.size, height=options.size, cfg_scale=7.5,
        sample_method="euler", sample_steps=options.steps, seed=1)
    seconds = time.perf_counter() - start
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "memory": held}))


if __name__ == "__main__":
    main()
