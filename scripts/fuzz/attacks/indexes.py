"""Indexes of shards and of pipelines, and captions."""

import json

from .bench import sweep
from .scenarios import scenario
from .trials import altered


def indexes(bench):
    """Indexes of shards and of pipelines that lead elsewhere, in circles, or nowhere."""
    sweep.write_safetensors(bench.place / "shard", {"a.weight": [8, 6], "a.bias": [8], "b.weight": [4, 3, 3, 3]})
    shard = (bench.place / "shard").read_bytes()

    def index(where, **more):
        return json.dumps({"metadata": {"total_size": 1}, "weight_map": where, **more})
    maps = {
        "itself": {"a.weight": "m.safetensors.index.json"}, "parent": {"a.weight": "../m-1.safetensors"},
        "root": {"a.weight": "/etc/passwd"}, "device": {"a.weight": "/dev/zero"}, "dots": {"a.weight": ".."},
        "here": {"a.weight": "."}, "empty": {"a.weight": ""}, "number": {"a.weight": 3}, "none": {"a.weight": None},
        "list": {"a.weight": ["m-1.safetensors"]}, "zero byte": {"a.weight": "m\0.safetensors"},
        "escape": {"a.weight": "\x1b[2J.safetensors"}, "long": {"a.weight": "x" * 100_000},
        "missing": {"a.weight": "no.safetensors"}, "no tensor": {"z": "m-1.safetensors"}, "nothing": {},
        "many": {f"t{i}": "m-1.safetensors" for i in range(200_000)},
        "many files": {f"t{i}": f"m-{i}.safetensors" for i in range(20_000)},
        "folder": {"a.weight": "images"}, "fifo": {"a.weight": "fifo"}, "wide": {"\u202e" * 1000: "m-1.safetensors"},
    }
    texts = {name: index(where) for name, where in maps.items()}
    texts |= {"cut": index(maps["parent"])[:-4], "list of all": "[1]", "nested": "[" * 200_000, "null": "null",
              "map is a list": '{"weight_map": [1]}', "map is null": '{"weight_map": null}', "blank": "",
              "twice": '{"weight_map": {"a.weight": "m-1.safetensors"}, "weight_map": {"b.weight": "../x"}}'}
    for name, text in texts.items():
        for tool, arguments in [
            ("lyco-inspect", ["m.safetensors.index.json"]), ("lyco-inspect", ["m.safetensors.index.json", "--check"]),
            ("lyco-merge", ["m.safetensors.index.json", "a.safetensors", "-o", "o.safetensors"]),
            ("lyco-merge", ["m.safetensors.index.json", "a.safetensors", "-o", "m.safetensors", "--shard_size", "100"]),
        ]:
            yield altered(bench, f"index {name}: {tool}", tool, arguments,
                               {"m.safetensors.index.json": text, "m-1.safetensors": shard, "../m-1.safetensors": shard})
    pipelines = {"cut": "{", "list": "[1]", "nested": "[" * 200_000, "escape": '{"\\u001b[2J": ["x", "y"]}',
                 "parent": '{"unet": ["../..", "x"], "../../x": ["diffusers", "UNet2DConditionModel"]}',
                 "many": json.dumps({f"c{i}": ["a", "b"] for i in range(100_000)}), "null": '{"unet": null}',
                 "zeros": "\0" * 1000}
    for name, text in pipelines.items():
        for path in ("pipeline/model_index.json", "pipeline/unet/config.json"):
            yield altered(bench, f"{path} {name}", "lyco-inspect", ["pipeline"], {path: text})
            yield altered(bench, f"{path} {name}", "lyco-merge", ["pipeline", "p.safetensors", "-o", "o"], {path: text})
    captions = {"wildcards": "{" * 5000 + "a|b" + "}" * 5000, "bomb": "{a|b}" * 100_000, "counts": "{99999999999$$a|b}",
                "separator": "{2$$" + "x" * 100_000 + "$$a|b}", "huge": "x" * 30_000_000, "wide": "\u0301" * 200_000,
                "bytes": b"\xff\xfe\0" * 1000, "zeros": b"\0" * 1000, "lines": "a\n" * 500_000, "comma": "," * 500_000,
                "brackets": "(" * 100_000, "emoji": "👨‍👩‍👧‍👦" * 20_000, "weights": "(a:1e400)(b:nan)(c:-1e999)"}
    train = scenario("training over another").arguments
    images = sorted((bench.source / "images").glob("*.txt"))
    for name, text in captions.items():
        yield altered(bench, f"caption {name}", "lyco-train",
                           [*train, "--enable_wildcard", "--weighted_captions", "--shuffle_caption", "--max_train_steps", "1"],
                           {f"images/{images[0].name}": text})
