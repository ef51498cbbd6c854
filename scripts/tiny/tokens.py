"""The tokenizer of the small pipelines: CLIP's numbers, of the words its captions use."""

import gzip
import pathlib

from transformers import CLIPTokenizer

MERGES = 49152 - 256 - 2
"""Of the merges of the published file, those CLIP uses."""
LENGTH = 77


def complete(path):
    """CLIP's vocabulary and merges, from the published file of merges (gzip)."""
    text = gzip.decompress(pathlib.Path(path).read_bytes()).decode()
    merges = [tuple(line.split()) for line in text.split("\n")[1:MERGES + 1]]
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = [chr(byte) for byte in printable] + [chr(256 + n) for n in range(len(others))]
    tokens = [*letters, *(letter + "</w>" for letter in letters), *map("".join, merges),
              "<|startoftext|>", "<|endoftext|>"]
    return {token: number for number, token in enumerate(tokens)}, merges


def applied(word, ranks):
    """The merges that byte-pair encoding makes in a word."""
    parts, made = [*word[:-1], word[-1] + "</w>"], []
    while True:
        pairs = [pair for pair in zip(parts, parts[1:]) if pair in ranks]
        if not pairs:
            return made
        best = min(pairs, key=ranks.get)
        made.append(best)
        joined, index = [], 0
        while index < len(parts):
            is_pair = tuple(parts[index:index + 2]) == best
            joined.append("".join(best) if is_pair else parts[index])
            index += 2 if is_pair else 1
        parts = joined


def of_captions(path, captions, pad=None):
    """A tokenizer with CLIP's numbers that knows the letters and the words of these captions: the
    whole vocabulary would be a third of the pipeline. Fails if a caption differs from the whole.
    `pad` is what it fills up with, by default the end."""
    vocabulary, merges = complete(path)
    whole = CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=LENGTH)
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    split = whole.backend_tokenizer.pre_tokenizer.pre_tokenize_str
    words = {word for text in captions for word, _ in split(text)}
    used = sorted({pair for word in words for pair in applied(word, ranks)}, key=ranks.get)
    known = {token for token in vocabulary if token.startswith("<|") or (
        len(token.removesuffix("</w>")) == 1)} | set(map("".join, used))
    part = CLIPTokenizer(vocab={token: vocabulary[token] for token in vocabulary if token in known},
                         merges=used, model_max_length=LENGTH,
                         **({"pad_token": pad} if pad else {}))
    for text in captions:
        if part(text).input_ids != whole(text).input_ids:
            raise ValueError(f"{text!r} is {part(text).input_ids}, of CLIP {whole(text).input_ids}")
    return part


def rows(tokenizer, texts):
    """Token numbers `[n, 77]`, filled up with the tokenizer's own for that."""
    return tokenizer(texts, padding="max_length", max_length=LENGTH, truncation=True,
                     return_tensors="pt").input_ids
