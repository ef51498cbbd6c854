"""What lyco-train makes of the small pipelines of Fixtures/training, in the programs it is made for."""

import csv
import json
import pathlib
import shutil

import numpy as np
import torch
from safetensors.torch import load_file

from fixtures.training.tiny import bags, families, pictures, pipeline, random

from . import adapter
from .tools import Failure, run

TINY = pathlib.Path(__file__).resolve().parents[2] / "Fixtures" / "training" / "tiny"
"""A pipeline of Stable Diffusion 1, and the pictures for all."""
TINY_SDXL, TINY_FLUX = TINY.with_name("tiny-sdxl"), TINY.with_name("tiny-flux")
SEED = 7
STEPS = 60
TIMESTEPS = [200, 400, 600, 800]
"""Of a validation: the inner points of sd-scripts' division of the range into five, of a flow the
thousandths of noise. Each has its own noise."""
TOLERANCE = 1e-3
"""Relative, of the held-out loss. Files hold what was trained in float32; what is left is the order of
sums in a UNet, 1e-6 to 1e-5 of the loss."""

ALGORITHMS = {
    "lora": ("algo=lora",),
    "lora, convolutions": ("algo=lora", "conv_dim=4"),
    "lora, convolutions, Tucker": ("algo=lora", "conv_dim=4", "use_tucker=True"),
    "lora, rank-stabilized": ("algo=lora", "rs_lora=True"),
    "lora, trained scalar": ("algo=lora", "use_scalar=True"),
    "lora, bypass": ("algo=lora", "bypass_mode=True"),
    "dora": ("algo=lora", "dora_wd=True"),
    "dora, input": ("algo=lora", "dora_wd=True", "wd_on_output=False"),
    "loha": ("algo=loha",),
    "loha, convolutions": ("algo=loha", "conv_dim=4"),
    "lokr": ("algo=lokr", "factor=4"),
    "lokr, both factored": ("algo=lokr", "factor=4", "decompose_both=True"),
    "lokr, whole": ("algo=lokr", "full_matrix=True"),
    "ia3": ("algo=ia3", "preset=ia3"),
    "diag-oft": ("algo=diag-oft",),
    "boft": ("algo=boft",),
    "glora": ("algo=glora",),
    "dylora": ("algo=dylora",),
    "full": ("algo=full",),
    "norms": ("algo=lora", "train_norm=True"),
}
"""Each is trained for a few steps on attention and feed-forward, and text encoder, unless it says
otherwise."""
RANKS = {"boft": 8}
"""Where 4 will not do: butterflies need blocks that leave a power of two of 48 outputs."""

MODULES = {"lora, of sd-scripts": "networks.lora_flux"}
"""Those of Flux.1 that no LyCORIS network trains."""

IN_DIFFUSERS = ("lora, of sd-scripts", "lora", "lora, convolutions")
"""It has no Tucker cores, and drops the magnitudes of DoRA."""

DATASETS = """
[general]
caption_extension = ".txt"
resolution = 64
batch_size = 4

[[datasets]]
[[datasets.subsets]]
image_dir = "{images}/10_bag"
num_repeats = 10

[[datasets]]
validation_split = 1.0
[[datasets.subsets]]
image_dir = "{validation}/1_bag"
"""


class Run:
    """One training, and what it said."""

    def __init__(self, bench, name, *arguments, base=TINY, rank=4, steps=STEPS, rate=1e-3,
                 module="lycoris.kohya", options=()):
        self.base, self.binaries = base, bench.binaries
        self.folder = bench.folder / f"trained-on-{base.name}" / name.replace(" ", "-").replace(",", "")
        for part in (bags.TRAINING, bags.VALIDATION):  # copies: caches are written beside pictures
            shutil.copytree(TINY / part, self.folder / part)
        config = self.folder / "datasets.toml"
        config.write_text(DATASETS.format(images=self.folder / "images",
                                          validation=self.folder / "validation"))
        if module == "lycoris.kohya" and "preset=" not in str(arguments):
            arguments += ("preset=full" if "conv_dim" in str(arguments) else "preset=attn-mlp",)
        self.table = self.folder / "steps.csv"
        result = run(bench.binaries / "lyco-train", *families.family(base).arguments(base),
                     "--dataset_config", config, "--output_dir", self.folder / "out",
                     "--output_name", "adapter", "--network_module", module,
                     "--network_dim", rank, "--network_alpha", rank,
                     *(("--network_args", *arguments) if arguments else ()),
                     "--max_train_steps", steps, "--learning_rate", rate, "--seed", SEED,
                     "--validation_seed", SEED, "--save_precision", "float",
                     "--cache_latents_to_disk", "--logging_dir", self.folder / "logs",
                     "--log_csv", self.table, "--json", *options)
        said = json.loads(result.stdout)
        self.file, self.validation_loss = pathlib.Path(said["output"]), said["validation_loss"]

    def latents(self):
        """Those lyco-train cached of the held-out pictures, unscaled."""
        channels = families.family(self.base).channels
        return [cached(path, channels) for path in sorted((self.folder / bags.VALIDATION).glob("*.npz"))
                if not path.stem.endswith("_te")]


def cached(path, channels=4):
    """The latents of sd-scripts' cache `[channels, h, w]`, in float32. Newer ones have sizes in their
    names."""
    side = pictures.SIZE // 8
    with np.load(path) as arrays:
        found = {key.removesuffix(f"_{side}x{side}"): arrays[key] for key in arrays.files}
    names = {"latents", "original_size", "crop_ltrb"}
    if not names <= found.keys():
        raise Failure(f"{path.name} holds {sorted(found)}, expected {sorted(names)}")
    if found["latents"].shape != (channels, side, side):
        raise Failure(f"{path.name} holds latents of {found['latents'].shape}")
    if list(found["original_size"]) != [pictures.SIZE] * 2:
        raise Failure(f"{path.name} holds a picture of {found['original_size']}")
    return torch.from_numpy(found["latents"]).float()


@torch.no_grad()
def held_out_loss(loaded, trained):
    """The loss of the held-out pictures at the noise and the timesteps of lyco-train."""
    family = families.of(loaded)
    latents = family.latents(torch.stack(trained.latents()))
    conditions = families.conditions(loaded, bags.read(trained.folder / bags.VALIDATION).captions)
    losses = []
    for step in TIMESTEPS:
        noise = torch.stack([random.latents(family.channels, pictures.SIZE // 8, SEED, step, sample)
                             for sample in range(len(latents))])
        losses.append(family.error(loaded, latents, noise, step, conditions))
    return float(np.mean(losses))


def agreeing(found, expected, whose):
    error = abs(found - expected) / expected
    if not error < TOLERANCE:
        raise Failure(f"held-out loss {found:.6f} of {whose}, {expected:.6f} of lyco-train")
    return f"{whose}: held-out loss {found:.5f}, {error:.1e} off"


def by_lycoris(trained):
    loaded = pipeline.load(trained.base)
    base = held_out_loss(loaded, trained)
    count, by_hand = adapter.apply(loaded, trained.file)
    loss = held_out_loss(loaded, trained)
    notes = f", {by_hand} modules by hand" if by_hand else ""
    if not loss < base:
        raise Failure(f"held-out loss {loss:.5f}, without the adapter {base:.5f}")
    return (agreeing(loss, trained.validation_loss, "lycoris-lora")
            + f", without {base:.5f}; {count} tensors{notes}")


def by_diffusers(trained):
    loaded = pipeline.load(trained.base)
    whole, path = families.of(loaded).as_diffusers(loaded), trained.file
    if families.of(loaded) is families.Flux:
        path = in_diffusers_names(trained)
    whole.load_lora_weights(path.parent, weight_name=path.name)
    modules = {key.split(".lora_A")[0] for key in load_file(path) if ".lora_A" in key} or {
        key.split(".")[0] for key in load_file(path)}
    used = sum(hasattr(module, "lora_A") and len(module.lora_A) > 0
               for part in whole.components.values() if isinstance(part, torch.nn.Module)
               for module in part.modules())
    if used != len(modules):
        raise Failure(f"diffusers adapts {used} of {len(modules)} modules")
    return agreeing(held_out_loss(loaded, trained), trained.validation_loss, "diffusers")


def in_diffusers_names(trained):
    """The file by lyco-convert: diffusers' own converter knows Flux.1 at its full width alone."""
    path = trained.folder / "diffusers.safetensors"
    run(trained.binaries / "lyco-convert", trained.file, "--to", "diffusers", "--family", "flux", "-o", path)
    return path


def of_events(trained):
    """TensorBoard's reader, beside the table of steps."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    files = list((trained.folder / "logs").rglob("events.out.tfevents.*"))
    if len(files) != 1:
        raise Failure(f"{len(files)} event files")
    events = EventAccumulator(str(files[0].parent))
    events.Reload()
    with open(trained.table, newline="") as file:
        rows = {int(row["step"]): float(row["loss/current"]) for row in csv.DictReader(file)
                if row["loss/current"]}  # validations have rows of their own
    read = {event.step: event.value for event in events.Scalars("loss/current")}
    if sorted(rows) != list(range(1, STEPS + 1)) or rows.keys() != read.keys():
        raise Failure(f"{len(rows)} rows and {len(read)} events of {STEPS} steps")
    worst = max(abs(rows[step] - read[step]) / read[step] for step in rows)
    if worst > 1e-5:
        raise Failure(f"a loss differs by {worst:.1g} between events and table")
    return f"{len(events.Tags()['scalars'])} scalars, {len(read)} steps, worst {worst:.1e}"


def of_caches(trained):
    """The cached latents are what diffusers' VAE draws: within its deviations around its means."""
    loaded = pipeline.load(trained.base)
    family = families.of(loaded)
    mean, deviation = family.moments(loaded.vae, bags.read(trained.folder / bags.VALIDATION).pixels)
    away = ((family.latents(torch.stack(trained.latents())) - mean) / deviation).flatten()
    if away.abs().max() > 6:
        raise Failure(f"latents {away.abs().max():.1f} deviations from the mean")
    return f"{len(trained.latents())} latents, {float(away.std()):.2f} deviations from the means"


def checks(bench, base=TINY, names=ALGORITHMS):
    runs = {}

    def trained(name):
        if name not in runs:
            runs[name] = Run(bench, name, *ALGORITHMS.get(name, ()), base=base, rank=RANKS.get(name, 4),
                             module=MODULES.get(name, "lycoris.kohya"))
        return runs[name]
    for name in names:
        yield f"lycoris-lora loads what was trained: {name}", lambda name=name: by_lycoris(
            trained(name))
    for name in filter(set(names).__contains__, IN_DIFFUSERS):
        yield f"diffusers loads what was trained: {name}", lambda name=name: by_diffusers(
            trained(name))
    yield "tensorboard reads the events", lambda: of_events(trained("lora"))
    yield "numpy reads the cached latents", lambda: of_caches(trained("lora"))
