#!/usr/bin/env python3
"""Writes Fixtures/training/models/captions.safetensors.zst: 10,000 captions and the tokens that
transformers' CLIPTokenizer makes of them, and of some the rows that sd-scripts feeds its text encoder.

Needs transformers, safetensors, numpy and the zstd command. The tokenizer is built from the merges in
Sources/DiffusionModels/Tokenizer/CLIPMerges.swift, nothing is downloaded.

Run from the root of the repository: scripts/make-tokenizer-fixture.py
"""
import pathlib
import random
import subprocess
import tempfile
import unicodedata

import numpy
import tokenizers
import transformers
from safetensors.numpy import save_file

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUT = ROOT / "Fixtures/training/models/captions.safetensors.zst"
START, END = "<|startoftext|>", "<|endoftext|>"


def tokenizer(padding):
    """CLIP's vocabulary: bytes, bytes that end a word, merged pairs, two marks."""
    text = (ROOT / "Sources/DiffusionModels/Tokenizer/CLIPMerges.swift").read_text(encoding="utf-8")
    merges = text.split('##"""\n')[1].split('\n"""##')[0].split("\n")
    printed = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printed]
    pieces = [chr(code) for code in printed] + [chr(256 + n) for n in range(len(others))]
    pieces += [piece + "</w>" for piece in pieces] + [m.replace(" ", "") for m in merges]
    vocabulary = {piece: number for number, piece in enumerate(pieces + [START, END])}
    assert len(vocabulary) == 49408
    made = transformers.CLIPTokenizer(
        vocab=vocabulary, merges=[tuple(merge.split(" ")) for merge in merges],
        pad_token=padding, model_max_length=77)
    assert made("a photo of a cat").input_ids == [49406, 320, 1125, 539, 320, 2368, 49407]
    return made


class Captions:
    """Captions as people write them, and as nobody does."""

    SPACES = [" "] * 6 + ["  ", "\t", "\n", "\r\n", "\u00a0", "\u2003", "\u3000", "\u0085", "\u2028", "\x0b"]
    ODD_SIGNS = ["\u200b", "\ufeff", "\u180e", "\u200d", "\u00ad", "\x00", "\x1c", "\x7f", "\u2060", "\ufffd"]
    TAGS = ["1girl", "solo", "long_hair", "looking at viewer", "(masterpiece:1.2)", "best quality", "8k",
            "score_9", "rating:safe", "\\(series\\)", "o_o", ":3", "^_^", "HDR", "sks dog", "trending on"]
    CONTRACTIONS = ["it's", "don't", "we're", "I've", "I'm", "they'll", "she'd", "the dogs' bowl", "'s", "'T",
                    "o'clock", "rock'n'roll", "it’s", "''ll", "!'s", "'Sword", "'RE", "'veto", "5's"]
    EMOJI = ["🐱", "👍🏽", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪", "🇯🇵🇫🇷", "❤️", "☺", "1️⃣", "🫠", "😂😂😂", "✨", "™️", "👨🏿‍🚀"]
    SCRIPTS = {
        "cjk": [(0x4E00, 0x9FA5)], "kana": [(0x3041, 0x3096), (0x30A1, 0x30FA)],
        "hangul": [(0xAC00, 0xD7A3)], "jamo": [(0x1100, 0x1112), (0x1161, 0x1175)],
        "cyrillic": [(0x410, 0x44F)], "greek": [(0x391, 0x3A1), (0x3A3, 0x3C9)],
        "arabic": [(0x621, 0x64A)], "hebrew": [(0x5D0, 0x5EA)], "devanagari": [(0x904, 0x94D)],
        "thai": [(0xE01, 0xE3A), (0xE40, 0xE4E)], "latin": [(0xC0, 0x24F)], "extended": [(0x1E00, 0x1EFF)],
        "polytonic": [(0x1F00, 0x1F15)], "math": [(0x1D400, 0x1D454)], "georgian": [(0x10A0, 0x10C5)],
        "wide": [(0xFF01, 0xFF5E)], "cherokee": [(0x13A0, 0x13F5)], "deseret": [(0x10400, 0x1044F)]}
    NUMBERS = ["3", "42", "1024x768", "2.5", "½", "Ⅷ", "ⅻ", "٣٤", "①", "x²", "10⁻³", "〇", "१२", "1,000,000", "50%"]
    SPECIALS = [START, END, "<|ENDOFTEXT|>", "<|StartOfText|>!!", "<|endoftext|", "!!<|ENDOFTEXT|>", "<start>",
                "&amp;", "&#39;", "https://example.org/a_b?c=d#e", "<lora:x:0.8>", "a|b", "</w>", "İSTANBUL",
                "ﬁne", "ẞ", "ΟΔΟΣ", "Å", "Å", "Ω", "ǅ", "a\u0301\u0323", "q\u0323\u0307", "가", "が", "\u0344"]

    def __init__(self, seed, words):
        self.random = random.Random(seed)
        self.words = words
        self.assigned = [
            code for code in range(0x20, 0x30000)
            if unicodedata.category(chr(code)) not in ("Cn", "Cs", "Co")]

    def caption(self):
        kind = self.random.random()
        count = self.random.randint(0, 5) if kind < 0.997 else self.random.randint(60, 260)
        parts = []
        for _ in range(count):
            parts += [self.part(), self.separator()]
        return "".join(parts)

    def separator(self):
        return self.random.choice([" ", " ", " ", ", ", ",", ". ", "", self.random.choice(self.SPACES)])

    def part(self):
        pick = self.random.random()
        if pick < 0.55:
            word = self.random.choice(self.words)
            return self.random.choice([word, word, word.capitalize(), word.upper()])
        if pick < 0.63:
            return self.random.choice(self.TAGS + self.CONTRACTIONS)
        if pick < 0.69:
            return self.random.choice(self.NUMBERS)
        if pick < 0.75:
            return "".join(self.random.choices(self.EMOJI, k=self.random.randint(1, 3)))
        if pick < 0.86:
            return self.word(self.random.choice(list(self.SCRIPTS.values())))
        if pick < 0.90:
            text = self.word([(0x61, 0x7A), (0x41, 0x5A)]) + self.word([(0x300, 0x36F)])
            return self.random.choice([text, unicodedata.normalize("NFD", text + "éüçñ각")])
        if pick < 0.93:
            return "".join(self.random.choices("!?.,;:-_'\"()[]{}<>|/\\@#$%^&*+=~`", k=self.random.randint(1, 6)))
        if pick < 0.955:
            return self.random.choice(self.SPECIALS)
        if pick < 0.97:
            return self.random.choice(self.words) + self.random.choice(self.ODD_SIGNS) + "x"
        if pick < 0.995:
            return "".join(chr(code) for code in self.random.choices(self.assigned, k=3))
        return "".join(self.random.choices(self.words, k=self.random.randint(10, 60)))

    def word(self, ranges):
        codes = [self.random.randint(*self.random.choice(ranges)) for _ in range(self.random.randint(1, 7))]
        return "".join(chr(code) for code in codes if unicodedata.category(chr(code)) != "Cn")


def rows(made, text, length):
    """What sd-scripts' SdTokenizeStrategy makes of a caption, `length` tokens without the marks."""
    tokens = made(text, padding="max_length", truncation=True, max_length=length + 2).input_ids
    if length == 75:
        return [tokens]
    result = []
    for first in range(1, length + 2 - 77 + 2, 75):
        row = [tokens[0], *tokens[first:first + 75], tokens[-1]]
        if made.pad_token_id != made.eos_token_id:
            if row[-2] not in (made.eos_token_id, made.pad_token_id):
                row[-1] = made.eos_token_id
            if row[1] == made.pad_token_id:
                row[1] = made.eos_token_id
        result.append(row)
    return result


sd1, sd2 = tokenizer(END), tokenizer("!")
words = sorted(piece[:-4] for piece in sd1.get_vocab()
               if piece.endswith("</w>") and piece[:-4].isascii() and piece[:-4].isalpha())
source = Captions(5, words)
captions = ["", "a photo of a cat", *source.SPECIALS, *source.CONTRACTIONS, *source.NUMBERS, *source.EMOJI]
while len(captions) < 10000:
    captions.append(source.caption())
encoded = [caption.encode("utf-8") for caption in captions]
ids = [sd1(caption).input_ids for caption in captions]
tensors = {
    "text": numpy.frombuffer(b"".join(encoded), numpy.uint8),
    "text.lengths": numpy.array([len(text) for text in encoded], numpy.int32),
    "tokens": numpy.array([token for row in ids for token in row], numpy.uint16),
    "tokens.lengths": numpy.array([len(row) for row in ids], numpy.int32)}
# Where rows fill up and overflow: around 75, 150 and 225 tokens.
boundaries = [" ".join(["cat"] * count) for count in (0, 1, 74, 75, 76, 149, 150, 151, 224, 225, 226, 300)]
tensors["boundaries"] = numpy.array(
    [0, 1, 74, 75, 76, 149, 150, 151, 224, 225, 226, 300], numpy.int32)
for name, made in (("sd1", sd1), ("sd2", sd2)):
    for length in (75, 150, 225):
        tensors[f"rows.{name}.{length}"] = numpy.array(
            [rows(made, text, length) for text in boundaries], numpy.uint16)
versions = f"transformers {transformers.__version__}, tokenizers {tokenizers.__version__}"
with tempfile.TemporaryDirectory() as folder:
    plain = pathlib.Path(folder) / "captions.safetensors"
    save_file(tensors, plain, {"versions": versions})
    subprocess.run(["zstd", "-q", "-19", "-f", plain, "-o", OUT], check=True)
OUT.chmod(0o644)
print(len(captions), "captions,", sum(map(len, encoded)), "bytes,", sum(map(len, ids)), "tokens, file",
      OUT.stat().st_size)
