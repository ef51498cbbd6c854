"""Every algorithm lyco-extract writes, as LyCORIS trains with it."""

from . import training
from .tools import TOLERANCE, Failure, compare

ALIASES = ("locon", "oft")
SAME_RANK = {
    "lora": ("", "--use_tucker", "--dora_wd --wd_on_output true", "--dora_wd"),
    "loha": ("", "--dora_wd --wd_on_output true", "--dora_wd"),
    "lokr": ("", "--factor 4", "--factor -1", "--factor 8 --decompose_both",
             "--factor 4 --unbalanced_factorization", "--dora_wd --wd_on_output true",
             "--dora_wd"),
    "diag-oft": ("", "--rescaled"),
    "boft": ("", "--rescaled"),
}
"""Options to try beside an algorithm; one that is not here is tried without any."""
HALF = ("--exclude_patterns", ".*up_blocks.*")
"""What options are tried without, to be quick: their layers are like those before them."""
OTHER = {"full": ("",), "norm": ("",), "auto": ("--max_error 0.3",),
         "ia3": ("", "--ia3_side input", "--ia3_side output")}

TOLERANCES = {"glora": 1e-4}
"""Instead of `TOLERANCE`. The fit of GLoRA takes directions in which a small square W is nearly zero,
with large a1 and a2: W a1 loses digits to cancellation there, and either program is up to 3e-5 away
from the product in float64."""


def without_biases(adapter):
    """The adapter without the changes of biases that LyCORIS does not read, and those: it knows
    `diff_b` beside `diff` alone."""
    alone = {key: value for key, value in adapter.items() if key.endswith(".diff_b")
             and f"{key.removesuffix('.diff_b')}.diff" not in adapter}
    return {key: value for key, value in adapter.items() if key not in alone}, alone


def check(bench, extract, name, options):
    path, adapter = extract(f"{name}{''.join(options)}".replace("/", ""), "--algo", name,
                            "--norms", "--bias", *options, *(HALF if options else ()))
    state, biases = without_biases(adapter)
    unet, text_encoder = bench.copies()
    found, handmade = training.loaded(state, unet, text_encoder)
    places = training.paths(unet, training.TextEncoder(text_encoder))
    found |= {f"{places[key.split('.')[0]][0]}.bias": value for key, value in biases.items()}
    result = compare(found, bench.merged(path), TOLERANCES.get(name, TOLERANCE))
    notes = [f"{handmade} modules by hand" if handmade else "",
             f"{len(biases)} biases by hand" if biases else ""]
    return ", ".join([result, f"{len(found)} tensors", *filter(None, notes)])


def checks(bench):
    names = [name for name in bench.algorithms() if name not in ALIASES]
    if not {"lora", "loha", "lokr"} <= set(names):
        raise Failure(f"--algo says it takes {names}")
    for name in names:
        extract = bench.extract if name in OTHER else bench.extract_ranks
        for options in OTHER.get(name) or SAME_RANK.get(name, ("",)):
            yield (f"lycoris-lora trains as extracted: {name} {options}".strip(),
                   lambda name=name, options=options, extract=extract:
                   check(bench, extract, name, options.split()))
