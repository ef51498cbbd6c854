"""What Sources/Checkpoints/ReaderTables claims of diffusers and PEFT, held against both.

Of every family that diffusers loads adapters of, LoRA for all linear layers is written in every naming that
its table has. What the table calls whole must be read as diffusers reads its own names, what it calls not must
be passed over, what it calls refused must stop the loader, what it calls wrong must come out as other numbers.
LoHa and LoKr of every family are loaded by what the tables say reads them whole."""

import copy
import json
import pathlib
import re
import shutil
import tomllib

import diffusers
import torch
from diffusers.loaders import lora_pipeline
from peft import PeftModel
from safetensors.torch import load_file, save_file

from . import families, lora
from .tools import TOLERANCE, Failure, compare, difference, run

TABLES = pathlib.Path(__file__).resolve().parents[2] / "Sources/Checkpoints/ReaderTables"
READABLE = {"kohya", "sgm", "comfy", "musubi-other"}
ENDING = re.compile(r"\.(lora_[AB]\.weight|lora_(down|up)\.weight|alpha)$")

LOADERS = {
    "sd1": "StableDiffusion", "sd2": "StableDiffusion", "sdxl": "StableDiffusionXL", "flux": "Flux",
    "chroma": "Flux", "flux2": "Flux2", "sd3": "SD3", "hunyuan-video": "HunyuanVideo",
    "framepack": "HunyuanVideo", "wan": "Wan", "qwen-image": "QwenImage", "z-image": "ZImage",
    "lumina2": "Lumina2", "anima": "Anima", "krea2": "Krea2", "hidream": "HiDreamImage",
    "ltx-video": "LTXVideo", "ltx2": "LTX2", "ernie-image": "ErnieImage", "kandinsky5": "Kandinsky",
    "auraflow": "AuraFlow", "sana": "Sana", "cogvideox": "CogVideoX",
}
"""Mixins of diffusers.loaders. Not here: Mochi, which has 677 layers and is read as CogVideoX is."""

TRUE_WIDTHS = {
    "flux": lambda: diffusers.FluxTransformer2DModel(
        num_layers=1, num_single_layers=1, guidance_embeds=True),
    "chroma": lambda: diffusers.ChromaTransformer2DModel(num_layers=1, num_single_layers=1),
    "hunyuan-video": lambda: diffusers.HunyuanVideoTransformer3DModel(
        num_layers=1, num_single_layers=1, num_refiner_layers=1),
    "lumina2": lambda: diffusers.Lumina2Transformer2DModel(num_layers=1, num_refiner_layers=1),
}
"""Whose converters cut rows at the widths of the released models: one block of each kind, without weights."""


class Table:
    def __init__(self, name):
        self.table = tomllib.loads((TABLES / f"{name}.toml").read_text())
        self.namings = set(self.table["namings"])

    def verdict(self, module, algorithm, traits, family, naming):
        """The worst that is said of a module."""
        if self.table["algorithms"][algorithm] != "whole":
            return self.table["algorithms"][algorithm]
        order = ["whole", "partly", "wrong", "not", "refused"]
        found = [row["verdict"] for row in self.table["rows"] if all((
            algorithm in row.get("algorithms", [algorithm]),
            traits >= set(row.get("traits", [])),
            not row.get("any") or traits & set(row["any"]),
            family in row.get("families", [family]), naming in row.get("formats", [naming]),
            re.fullmatch(row.get("names", ".*"), module),
            not re.fullmatch(row.get("outside", "(?!)"), module)))]
        return max(found, key=order.index, default="whole")


def of_modules(tensors, names):
    return {key: value for key, value in tensors.items() if ENDING.sub("", key) in names}


def factors(family, model):
    """Factors of all linear layers in kohya's names; nothing is multiplied, weights may be none."""
    place, modules = families.places(family, model), {}
    for name, layer in model.named_modules():
        if isinstance(layer, torch.nn.Linear):
            modules.setdefault(place(name)[0], []).append(layer)
    g = torch.Generator().manual_seed(5)
    tensors = {}
    for native, layers in modules.items():
        key = "lora_unet_" + native.replace(".", "_")
        height = sum(layer.out_features for layer in layers)
        tensors |= {
            f"{key}.lora_up.weight": torch.randn(height, families.RANK, generator=g) / 4,
            f"{key}.lora_down.weight": torch.randn(
                families.RANK, layers[0].in_features, generator=g) / 4,
            f"{key}.alpha": torch.tensor(families.ALPHA)}
    return tensors


def images(state, alphas=None):
    """Of every module what its change makes of two random inputs: a whole change is large."""
    found = {}
    for key, down in state.items():
        if not key.endswith("lora_A.weight"):
            continue
        name = key.removesuffix(".lora_A.weight")
        scale = float(alphas[f"{name}.alpha"]) / len(down) if alphas else 1.0
        inputs = torch.randn(down.shape[1], 2, generator=torch.Generator().manual_seed(1)).double()
        found[name] = scale * (state[f"{name}.lora_B.weight"].double() @ (down.double() @ inputs))
    return found


def read(loader, model, tensors):
    """What a mixin of diffusers makes of the tensors of a file: of a UNet the changes of its weights, else
    images of the factors that it hands to the model and that the model has a layer for."""
    tensors = {key: value.clone() for key, value in tensors.items()}
    if isinstance(model, diffusers.UNet2DConditionModel):
        state, alphas, *_ = loader.lora_state_dict(tensors, unet_config=model.config)
        changed = copy.deepcopy(model)
        loader.load_lora_into_unet(state, alphas, changed)
        if hasattr(changed, "peft_config"):
            changed.fuse_lora()
            changed.unload_lora()
        return families.change(families.weights(model), families.weights(changed))
    state = loader.lora_state_dict(tensors)
    state, *alphas = state if isinstance(state, tuple) else (state,)
    layers = {f"transformer.{name}" for name, _ in model.named_modules()}
    found = images(state, alphas[0] if alphas else None)
    return {name: value for name, value in found.items() if name in layers}


def differing(found, expected):
    """The names that `found` has not, or has otherwise."""
    return {name for name, value in expected.items() if name not in found
            or found[name].shape != value.shape
            or (found[name] - value).norm() > TOLERANCE * value.norm()}


def stops(loader, model, tensors):
    try:
        read(loader, model, tensors)
    except Exception:  # whatever it raises, it takes nothing of the file
        return True
    return False


def in_naming(bench, table, family, model, loader, native, naming, *options):
    path = families.converted(bench, family, native, "--to", naming, *options)
    tensors = load_file(path)
    has_alphas = any(key.endswith(".alpha") for key in tensors)
    by_verdict = {}
    for module in {ENDING.sub("", key) for key in tensors}:
        verdict = table.verdict(
            module, "lora", {"alpha"} if has_alphas else set(), family, naming)
        by_verdict.setdefault(verdict, set()).add(module)

    def expected(names):
        part = of_modules(tensors, names)
        target = families.converted(bench, family, part, "--to", "diffusers")
        return part, read(loader, model, load_file(target))
    whole = by_verdict.get("whole", set())
    worst = 0.0
    if whole:
        part, goal = expected(whole)
        found = read(loader, model, part)
        if found.keys() != goal.keys() or not goal:
            odd = sorted(found.keys() ^ goal.keys())
            raise Failure(f"{naming}: {len(found)} layers of {len(goal)} read, first odd {odd[:1]}")
        worst = max(float((found[name] - goal[name]).norm() / goal[name].norm()) for name in goal)
        if worst > TOLERANCE:
            raise Failure(f"{naming}: differs by {worst:.2g}")
    if missed := by_verdict.get("not"):
        part, goal = expected(missed)
        read_all_the_same = goal.keys() - differing(read(loader, model, part), goal)
        if read_all_the_same:
            raise Failure(f"{naming}: {sorted(read_all_the_same)[0]} is read, 'not' in the table")
    if wrong := by_verdict.get("wrong"):
        part, goal = expected(wrong)
        if not differing(read(loader, model, part), goal):
            raise Failure(f"{naming}: {sorted(wrong)[0]} is read whole, 'wrong' in the table")
    refused = by_verdict.get("refused")
    if refused and not stops(loader, model, of_modules(tensors, whole | refused)):
        raise Failure(f"{naming}: a file with {sorted(refused)[0]} is read, 'refused' in the table")
    counts = ", ".join(f"{len(names)} {verdict}" for verdict, names in sorted(by_verdict.items()))
    return f"{' '.join([naming, *options])} {counts}" + (f", worst {worst:.1e}" if whole else "")


def other_factors(family, model, algorithm, inner_rank=None):
    """LoHa or LoKr of the layers that are whole in the native names, and the change of each. LoKr is divided
    by 4 everywhere, the one factor that PEFT takes; `inner_rank` gives the rank of w2 by its greater extent, and
    where it is none w2 is whole."""
    place = families.places(family, model)
    g = torch.Generator().manual_seed(6)

    def random(*shape):
        return torch.randn(shape, generator=g) / 4
    tensors, changes, seen = {}, {}, set()
    for name, layer in model.named_modules():
        if not isinstance(layer, torch.nn.Linear) or not families.is_named(family, name):
            continue
        native, rows = place(name)
        height, width = layer.weight.shape
        if rows != (0, 1) or native in seen or height % 4 or width % 4 or min(height, width) < 16:
            continue
        seen.add(native)
        if algorithm == "loha":
            part = {"hada_w1_a": random(height, 2), "hada_w1_b": random(2, width),
                    "hada_w2_a": random(height, 2), "hada_w2_b": random(2, width)}
            first, second = (part[f"hada_w{i}_a"].double() @ part[f"hada_w{i}_b"].double()
                             for i in (1, 2))
            change = first * second
        else:
            part, inner = {"lokr_w1": random(4, 4)}, (height // 4, width // 4)
            if inner_rank:
                rank = inner_rank(max(inner))
                part |= {"lokr_w2_a": random(inner[0], rank), "lokr_w2_b": random(rank, inner[1])}
                product = 2.0 / rank * part["lokr_w2_a"].double() @ part["lokr_w2_b"].double()
            else:
                part["lokr_w2"] = random(*inner)
                product = part["lokr_w2"].double()
            change = torch.kron(part["lokr_w1"].double(), product)
        key = "lora_unet_" + native.replace(".", "_")
        tensors |= {f"{key}.{suffix}": value for suffix, value in part.items()}
        tensors[f"{key}.alpha"] = torch.tensor(2.0)
        changes[name] = change
    return tensors, changes


def in_peft(bench, family, model, algorithm, compared=compare, **details):
    tensors, changes = other_factors(family, model, algorithm, **details)
    folder = families.converted(bench, family, tensors, "--to", "peft")
    [config] = folder.rglob("adapter_config.json")
    if json.loads(config.read_text())["peft_type"] != algorithm.upper():
        raise Failure(f"{config.read_text()[:60]} for {algorithm}")
    before = families.weights(model)
    merged = PeftModel.from_pretrained(copy.deepcopy(model), config.parent).merge_and_unload()
    result = compared(families.change(before, families.weights(merged)), changes)
    shutil.rmtree(folder)
    return f"peft: {algorithm} {result}"


def kronecker_in_diffusers(bench, family, model, compared=compare, **details):
    tensors, changes = other_factors(family, model, "lokr", **details)
    path = families.converted(bench, family, tensors, "--to", "diffusers")
    before, changed = families.weights(model), copy.deepcopy(model)
    changed.load_lora_adapter(str(path.parent), weight_name=path.name, prefix=families.prefix(model))
    changed.fuse_lora()
    changed.unload_lora()
    return f"diffusers: lokr {compared(families.change(before, families.weights(changed)), changes)}"


def errors(found, expected):
    """The least and the most relative error over all weights, of those that come out otherwise."""
    sizes = [float((found[name] - delta).norm() / delta.norm()) for name, delta in expected.items()
             if name in found]
    if len(sizes) != len(expected) or min(sizes) < TOLERANCE:
        raise Failure(f"{len(sizes)} of {len(expected)} weights change, one by what it should")
    return f"{min(sizes):.2g} to {max(sizes):.2g}"


def divided_by_rank(bench):
    """PEFT makes w2 whole where the rank reaches half of its greater extent, whatever the file has."""
    family, results = "wan", []
    for title, inner_rank, compared, traits in (
            ("below half", lambda extent: (extent - 1) // 2, compare, set()),
            ("half", lambda extent: (extent + 1) // 2, errors, {"other-parts"})):
        for name, load in (("peft", in_peft), ("diffusers", kronecker_in_diffusers)):
            naming = {"peft": "peft", "diffusers": "diffusers"}[name]
            verdict = Table(name).verdict("module", "lokr", {"divided-w2"} | traits, family, naming)
            if verdict != ("wrong" if traits else "whole"):
                raise Failure(f"{name}: '{verdict}' in the table of a w2 with a rank of {title}")
            torch.manual_seed(1)
            words = ("lokr",) if load is in_peft else ()
            loaded = load(bench, family, families.MODELS[family](), *words, compared=compared,
                          inner_rank=inner_rank)
            results.append(f"{title} {loaded}")
    return "; ".join(results)


def decomposed(bench, table):
    """DoRA by outputs and by inputs of SD1, in diffusers' names and kohya's."""
    results = []
    for side, trait in (("true", "dora-by-outputs"), ("false", "dora-by-inputs")):
        path, _ = bench.extract_ranks(f"readers {trait}", "--dora_wd", "--wd_on_output", side)
        expected = bench.merged(path)
        for naming in ("diffusers", "kohya"):
            target = bench.folder / f"{trait} {naming}.safetensors"
            run(bench.binaries / "lyco-convert", path, "-o", target, "--to", naming, "--family", "sd1")
            unet, text_encoder = bench.copies()
            state = {key.replace("lora_A", "lora_down"): value
                     for key, value in load_file(target).items()}
            found = difference(bench.before, lora.in_diffusers(target, state, unet, text_encoder))
            worst = max(float((found[name] - delta).norm() / delta.norm())
                        for name, delta in expected.items())
            verdict = table.verdict("lora_unet_x", "lora", {trait, "alpha"}, "sd1", naming)
            if (worst < TOLERANCE) != (verdict == "whole"):
                raise Failure(f"{trait} in {naming}'s names: off by {worst:.2g}, '{verdict}' in the table")
            results.append(f"{trait} {naming} {verdict} {worst:.1e}")
    return "; ".join(results)


def checks(bench):
    table = Table("diffusers")
    for family, mixin in LOADERS.items():
        def namings(family=family, mixin=mixin):
            torch.manual_seed(1)
            with torch.device("meta" if family in TRUE_WIDTHS else "cpu"):
                model = TRUE_WIDTHS.get(family, families.MODELS[family])()
            loader = getattr(lora_pipeline, mixin + "LoraLoaderMixin")
            native = factors(family, model)
            # The two are spelled differently for Stable Diffusion alone.
            others = READABLE & table.namings - (
                set() if family.startswith("sd") and family != "sd3" else {"sgm"})
            results = [in_naming(bench, table, family, model, loader, native, naming)
                       for naming in sorted(others)]
            # Beside lora_A and lora_B alphas stop some converters before names matter.
            results.append(in_naming(
                bench, table, family, model, loader, native, "comfy", "--alpha", "fold"))
            return "; ".join(results)
        yield f"the table of diffusers is right about {family}", namings

    for family, make in families.MODELS.items():
        def other(family=family, make=make):
            torch.manual_seed(1)
            model = make()
            results = [in_peft(bench, family, model, algorithm) for algorithm in ("loha", "lokr")]
            if hasattr(model, "load_lora_adapter"):
                results.append(kronecker_in_diffusers(bench, family, model))
            return "; ".join(results)
        if family != "mochi":
            yield f"LoHa and LoKr of {family}", other

    yield "the table of diffusers is right about DoRA", lambda: decomposed(bench, table)
    yield "PEFT divides LoKr by rank", lambda: divided_by_rank(bench)
