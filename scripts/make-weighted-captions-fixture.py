#!/usr/bin/env python3
"""Writes Fixtures/training/models/weighted-captions.json: captions with weights, and the rows of tokens and weights
that sd-scripts' SdTokenizeStrategy makes of them.

usage: make-weighted-captions-fixture.py SD_SCRIPTS, a checkout of kohya-ss/sd-scripts (48d368f). Needs torch and
transformers; the tokenizer is built from the merges in this repository, nothing is downloaded.
"""
import importlib.util
import json
import pathlib
import sys
import types

import transformers

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUT = ROOT / "Fixtures/training/models/weighted-captions.json"
START, END = "<|startoftext|>", "<|endoftext|>"


def tokenizer(padding):
    text = (ROOT / "Sources/DiffusionModels/Tokenizer/CLIPMerges.swift").read_text(encoding="utf-8")
    merges = text.split('##"""\n')[1].split('\n"""##')[0].split("\n")
    printed = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printed]
    pieces = [chr(code) for code in printed] + [chr(256 + n) for n in range(len(others))]
    pieces += [piece + "</w>" for piece in pieces] + [m.replace(" ", "") for m in merges]
    vocabulary = {piece: number for number, piece in enumerate(pieces + [START, END])}
    return transformers.CLIPTokenizer(
        vocab=vocabulary, merges=[tuple(merge.split(" ")) for merge in merges],
        pad_token=padding, model_max_length=77)


def strategy(folder):
    """The class, without the packages that the rest of its module wants."""
    library = types.ModuleType("library")
    library.__path__ = [str(folder / "library")]
    utils = types.ModuleType("library.utils")
    utils.setup_logging = lambda *_, **__: None
    library.train_util, library.utils = types.ModuleType("library.train_util"), utils
    sys.modules |= {
        "library": library, "library.utils": utils, "library.train_util": library.train_util}
    spec = importlib.util.spec_from_file_location(
        "library.strategy_base", folder / "library/strategy_base.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["library.strategy_base"] = module
    spec.loader.exec_module(module)
    return module.TokenizeStrategy()


def runs(values):
    """[value, count] of equal neighbours."""
    found = []
    for value in values:
        if found and found[-1][0] == value:
            found[-1][1] += 1
        else:
            found.append([value, 1])
    return found


CAPTIONS = [
    "", "a photo of a cat", "an (important) word", "(unbalanced", "[less", r"\(literal\]",
    "(unnecessary)(parens)", "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).", "(a:0)", "(a:-1.5) b",
    "(cat:+.5), dog", "stray) and ] and :", "time 12:30 (clock:1.1)", "weight without bracket:1.2)",
    r"back\\slash \ alone \x", "()", "[]", "((a) b", "(a, [b, (c:1.4)], d:0.7), e", "[a:1.5]",
    "1girl, (solo:1.2), \\(series\\), :3, ^_^", "(two words:1.25) after", "( spaced : 1.2 )", "ein (schöner:1.3) Tag",
    "(" * 6 + "deep" + ")" * 6, "cat " * 70 + "(dog:1.5) bird", "(" + "cat " * 80 + ":1.3) end",
    "(one:1.1) " * 90, "[" + "cat " * 160 + "] (dog:2)",
]
base = strategy(pathlib.Path(sys.argv[1]))
cases = []
for name, made in (("sd1", tokenizer(END)), ("sd2", tokenizer("!"))):
    for length in (75, 150, 225):
        for caption in CAPTIONS:
            tokens, weights = base._get_input_ids(made, caption, length + 2, weighted=True)
            flat = [1.0] + [w for row in weights.tolist() for w in row[1:-1]] + [1.0]
            cases.append(dict(
                family=name, length=length, caption=caption, rows=[runs(row) for row in tokens.tolist()],
                weights=runs(flat)))
OUT.write_text(json.dumps(cases) + "\n")
print(len(cases), "cases,", OUT.stat().st_size, "bytes")
