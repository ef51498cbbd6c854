"""Configurations of PEFT, presets and configurations of trainings: cut, odd, and bombs."""

import json

from .bench import sweep
from .trials import altered


def peft(bench):
    good = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["a"]}
    text = json.dumps(good)
    bad = {f"cut after {n}": text[:n] for n in (0, 1, 10, len(text) - 1)}
    bad |= {"not UTF-8": text.encode()[:-1] + b"\xff}", "zeros": b"\0" * 100, "nested": "[" * 100_000,
            "deep": '{"r":' * 5000, "not an object": "[1]", "null": "null", "a number": "3"}
    for key, values in {
        "lora_alpha": ["x", None, [], {}, True, 1e400, "nan", "inf", -1e400, [4], "4 "],
        "r": ["x", None, [], {}, -1, 0, 2**62, 1.5, "nan", 1e300],
        "alpha_pattern": ["x", [], 3, {"(": 3}, {"a": "x"}, {"a": None}, {"a": []}, {"(a+)+$": 2}, {"a" * 70_000: 1},
                          {"(" * 3000: 1}, {r"(?<!x)a": 8}],
        "rank_pattern": ["x", [], {"(": 3}, {"a": -1}, {"a": 2**62}, {"a": "x"}],
        "use_rslora": ["x", None, 3, []], "use_dora": ["x", []],
        "peft_type": ["\x1b[2J", None, 3, "PROMPT_TUNING", ""],
        "target_modules": [3, {}, ["(" * 2000], "(((", None],
        "bias": ["\x1b", 3], "layers_to_transform": [[2**62], "x"], "modules_to_save": ["x", 3, [None]],
    }.items():
        for value in values:
            bad[f"{key} {str(value)[:20]!r}"] = json.dumps({**good, key: value})
    model = {"base_model.model.a.lora_A.weight": [2, 6], "base_model.model.a.lora_B.weight": [8, 2]}
    target = bench.place / "adapter_model.safetensors"
    sweep.write_safetensors(target, model)
    weights = target.read_bytes()
    for name, content in bad.items():
        files = {"peft/adapter_config.json": content, "peft/adapter_model.safetensors": weights}
        yield altered(bench, f"adapter_config.json: {name}", "lyco-convert",
                           ["peft", "--base", "base.safetensors", "--to", "kohya", "-o", "o.safetensors"], files)


def toml(bench):
    bombs = ["[" * 10_000, "a = " + "[" * 100_000, "a" + ".a" * 30_000 + " = 1", "[a" + ".a" * 30_000 + "]",
             "a = " + "{a=" * 20_000, "[.*attn.*]", "[ä]", "[", "[[", "[[]]", "[]", "[.]", "[a.]", "[.a]", "[a..b]",
             "a=1\na=2", "[a]\n[a]", "a = 'x", 'a = "x', "a = '''", 'a = """\\', "a = 1_", "a = 0x", "a = 1e", "=1",
             "a", "a =", "a = nan", "a = inf", "a = 9223372036854775808", "a = 1979-13-40", "a = '\x1b[2J'", "\x00",
             "\ufeffa = 1", "a = 1\r", "a = \"\\u{110000}\"", "a = \"\\ud800\"", "a = \"\\U00110000\"",
             "['" + "x" * 100_000 + "']", "a = [" + "1," * 300_000 + "]", "[[a]]\n" * 50_000, "a={}\n[a.b]",
             "a=[{}]\n[a.b]", "[[a]]\n[a]", "[a]\n[[a]]", "a.b=1\na=2", "\n" * 2_000_000, "#" + "x" * 5_000_000,
             "a = {b=1, b=2}", "[a]\nb.c=1\n[a.b]", "é = 1", "a = 0b12", "a = +-1", "a = 1.", "a = .1", "a = 1__0"]
    headers = ["[%s]\nalgo = 'lora'" % h for h in
               (".*attn.*", "ä", "", " ", "'", '"', "a b", "a\tb", "#", "]", "[", "a]b", "=", "(a+)+$", "\\w", "*", "?",
                "\x7f", "\u202e", "a" * 70_000, "a." * 40, "-", "_", "1", "1.2", "+", "@", "!", "{", "}", ",")]
    jobs = [("lyco-extract", ["base.safetensors", "tuned.safetensors", "--preset", "f.toml", "-o", "o.safetensors"]),
            ("lyco-train", ["--pretrained_model_name_or_path", "tiny", "--dataset_config", "f.toml", "--dry_run",
                            "--output_dir", "o"]),
            ("lyco-train", ["--config_file", "f.toml", "--pretrained_model_name_or_path", "tiny", "--dry_run",
                            "--train_data_dir", "images", "--output_dir", "o"])]
    for number, text in enumerate(bombs + headers):
        for tool, arguments in jobs:
            yield altered(bench, f"TOML {number} {text[:20]!r}: {tool} {arguments[-4]}", tool, arguments, {"f.toml": text})
