"""Runs the tools, and compares what programs make of an adapter."""

import copy
import dataclasses
import pathlib
import subprocess

import torch
from safetensors.torch import load_file

from fixtures.families.sd1_names import ldm_name

from .model import fine_tuned, models, named, write_layouts

RANK = 4

TOLERANCE = 1e-5
"""Relative Frobenius norm of the difference between two changes of one weight. Either program rounds
to float32, its W + change at the end if not before: below 2^-24 of W, so 6e-8 divided by
how small the change is beside W. The smallest here is a few hundredths of W, and up to 3e-6 are met.
A scale, an axis or a transpose that is wrong is off by 1e-2 or more."""


class Failure(Exception):
    """A program that does not take the adapter, or takes it as something else."""


def run(*command):
    words = [str(word) for word in command]
    result = subprocess.run(words, capture_output=True, text=True)
    if result.returncode != 0:
        raise Failure(f"{' '.join(words)}: status {result.returncode}: {result.stderr.strip()}")
    return result


@dataclasses.dataclass
class Bench:
    """The tools, the two models, and a folder for files."""
    binaries: pathlib.Path
    folder: pathlib.Path

    def __post_init__(self):
        self.unet, self.text_encoder = models()
        self.before = named(self.unet, self.text_encoder)
        self.base_folder, self.base = write_layouts(self.before, self.folder / "base")
        self.tuned_folder, self.tuned = write_layouts(fine_tuned(self.before),
                                                      self.folder / "tuned")

    def copies(self):
        """The models, for a program that changes them."""
        return copy.deepcopy(self.unet), copy.deepcopy(self.text_encoder)

    def algorithms(self):
        """What `--algo` takes, from the message about what it does not."""
        words = [self.binaries / "lyco-extract", "a", "b", "-o", "c", "--algo", "?"]
        message = subprocess.run(words, capture_output=True, text=True).stderr
        words = message.partition("expected ")[2].partition(", found")[0]
        return words.replace(" or ", ", ").split(", ")

    def extract(self, name, *options, base=None, tuned=None):
        """The file an extraction writes, in float32, with its tensors."""
        path = self.folder / f"{name}.safetensors"
        run(self.binaries / "lyco-extract", base or self.base, tuned or self.tuned, "-o", path,
            "--save_precision", "fp32", "--family", "sd1", *options)
        return path, load_file(path)

    def extract_ranks(self, name, *options, **files):
        """The same with one rank everywhere, and nothing stored whole."""
        return self.extract(name, "--mode", "fixed", "--linear_dim", RANK, "--conv_dim", RANK,
                            "--no_full", *options, **files)

    def merged(self, *adapters, ratios=(1,)):
        """The changes lyco-merge makes, as `component/key`."""
        out = self.folder / "merged.safetensors"
        run(self.binaries / "lyco-merge", self.base, *adapters, "--ratio", *ratios, "-o", out,
            "--family", "sd1")
        after = load_file(out)
        return difference(self.before, {name: after[ldm_name(name)] for name in self.before})


def difference(before, after):
    return {name: after[name].float() - tensor for name, tensor in before.items()
            if not torch.equal(after[name].float(), tensor)}


def expect_all(adapter, used):
    unused = sorted(set(adapter) - set(used))
    if unused:
        raise Failure(f"{len(unused)} of {len(adapter)} keys unused, first {unused[0]}")


def compare(found, expected, tolerance=TOLERANCE):
    """The worst relative error over all weights."""
    if found.keys() != expected.keys():
        odd = sorted(found.keys() ^ expected.keys())
        raise Failure(f"changes {len(found)} tensors, lyco-merge {len(expected)}; first {odd[0]}")
    worst = max((float((found[name] - delta).norm() / delta.norm()), name)
                for name, delta in expected.items())
    if worst[0] > tolerance:
        raise Failure(f"{worst[1]}: change differs by {worst[0]:.2g}")
    return f"worst {worst[0]:.1e}"
