"""What lyco-train makes of the small pipeline of Stable Diffusion XL."""

from . import trained

ALGORITHMS = ("lora", "lora, convolutions", "lora, bypass", "dora", "loha", "lokr", "diag-oft")


def checks(bench):
    yield from trained.checks(bench, trained.TINY_SDXL, ALGORITHMS)
