#!/usr/bin/env python3
"""Compares the tools with the programs that share their files.

usage: check-clients.py BINDIR [TOPIC...]

TOPIC, default all: lora, extracted, written, converted, families, readers, spellings,
quantized, layouts, trained, trained-sdxl, trained-flux.

Makes a small model with SD1's module names and a fine-tune of it. LoRA and DoRA that lyco-extract
writes are loaded in lycoris-lora (kohya loader and generic wrapper), diffusers, peft and by hand
from safetensors; every algorithm it writes in lycoris-lora; and what lycoris-lora and peft write is
merged. Every program must use every key, and the change of every weight must be lyco-merge's to
1e-5 (relative Frobenius norm, float32). Of every family that diffusers has, adapters in kohya's
names for a tiny model are converted and loaded in diffusers and peft, and must change it as their
factors say; what the tables of readers claim of diffusers and peft is held against both. Adapters in
all spellings of the field are merged against their factors. Weights that bitsandbytes and comfy_kitchen store as
codes are merged, extracted and summed against what these read from them, and checkpoints in all layouts
give adapters in the names that programs read. What
lyco-train trains, by every algorithm, must give the loss of held-out pictures that
it reports, to 1e-3, in lycoris-lora and diffusers; its event files are read by tensorboard.

Needs scripts/requirements.txt; says so and exits with 0 where a package is missing.
"""

import logging
import os
import pathlib
import sys
import tempfile
import warnings

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("TQDM_DISABLE", "1")

try:
    import diffusers  # noqa: F401
    import lycoris  # noqa: F401
    import peft  # noqa: F401
    import safetensors  # noqa: F401
    import tensorboard  # noqa: F401
    import torch
    import transformers  # noqa: F401
except ImportError as missing:
    print(f"check-clients.py: skipped, Python has no {missing.name} (scripts/requirements.txt)")
    sys.exit(0)

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from clients import (  # noqa: E402
    converted, extracted, families, layouts, lora, quantized, readers, spellings, trained,
    trained_flux, trained_sdxl, written)
from clients.tools import Bench, Failure  # noqa: E402


TOPICS = {"lora": lora, "extracted": extracted, "written": written, "converted": converted,
          "families": families, "readers": readers,
          "spellings": spellings, "quantized": quantized, "layouts": layouts,
          "trained": trained, "trained-sdxl": trained_sdxl,
          "trained-flux": trained_flux}


def main(binaries, topics):
    failed = False
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        bench = Bench(binaries, pathlib.Path(folder))
        for topic in topics or TOPICS:
            for name, check in TOPICS[topic].checks(bench):
                try:
                    print(f"{name}: {check()}", flush=True)
                except Exception as failure:  # whatever a program raises is the finding
                    failed = True
                    print(f"{name}: FAILED: {failure or repr(failure)}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) < 2 or not set(sys.argv[2:]) <= set(TOPICS):
        sys.exit(__doc__.split("\n\n")[1])
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    try:
        sys.exit(main(pathlib.Path(sys.argv[1]), sys.argv[2:]))
    except Failure as failure:
        sys.exit(f"check-clients.py: {failure}")
