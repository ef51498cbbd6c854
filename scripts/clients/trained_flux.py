"""What lyco-train makes of the small pipeline of Flux.1."""

from . import trained

ALGORITHMS = ("lora, of sd-scripts", "lora", "dora", "loha", "lokr")


def checks(bench):
    yield from trained.checks(bench, trained.TINY_FLUX, ALGORITHMS)
