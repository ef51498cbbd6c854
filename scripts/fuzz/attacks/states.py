"""States that are not as they were written."""

import json
import random

from .bench import mutate, timeless
from .scenarios import scenario
from .trials import trial


def states(bench):
    """States that are not as they were written: refused in a line, or the run is what it would have been."""
    base = scenario("training over another").arguments
    arguments = [*base, "--max_train_steps", "2", "--save_every_n_steps", "1", "--optimizer_type", "Prodigy",
                 "--learning_rate", "1"]
    whole = bench.folder()
    status, _, errors = bench.run("lyco-train", arguments, whole)
    assert status == 0, errors
    state, result = whole / "o/t-step00000001-state", timeless((whole / "o/t.safetensors").read_bytes())
    files = {p.name: p.read_bytes() for p in state.iterdir()}
    text = json.loads(files["train_state.json"])
    rng = random.Random(bench.settings.seed)
    odd = {}

    def places(value, way=()):
        yield way
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
            yield from places(inner, (*way, key))
    for way in list(places(text))[1:]:
        for new in (-1, 0, 3, 2**40, 2**63 - 1, 1e300, "nan", "inf", None, [], {}, "x", True, ...):
            changed = json.loads(files["train_state.json"])
            inner = changed
            for key in way[:-1]:
                inner = inner[key]
            if new is ...:
                del inner[way[-1]]
            else:
                inner[way[-1]] = new
            odd[f"train_state.json {'.'.join(map(str, way))} {new}"] = {"train_state.json": json.dumps(changed)}
    for name in files:
        for i in range(20):
            rule = rng.choice([mutate.bits, mutate.cut, mutate.header if name.endswith("s") else mutate.text,
                               mutate.values if name.endswith("s") else mutate.text])
            odd[f"{name} {rule.__name__} {i}"] = {name: rule(rng, files[name])}
        odd[f"{name} empty"] = {name: b""}
    names = list(odd)
    if not bench.settings.full:
        names = rng.sample(names, min(len(names), 120))
    for title in names:
        content = {f"state/{n}": c for n, c in {**files, **odd[title]}.items()}

        def after(folder, status, errors):
            if status == 0 and timeless((folder / "o/t.safetensors").read_bytes()) != result:
                return "another adapter"
            return None

        def setup(folder, content=content):
            (folder / "state").mkdir()
            for path, data in content.items():
                (folder / path).write_bytes(data if isinstance(data, bytes) else data.encode("utf-8", "surrogateescape"))
        yield trial(bench, f"state: {title}", "lyco-train", [*arguments, "--resume", "state"], setup, after=after)
    bench.drop(whole)
