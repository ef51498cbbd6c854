#!/usr/bin/env python3
"""Writes Sources/DiffusionModels/Tokenizer/CLIPMerges.swift from OpenAI's bpe_simple_vocab_16e6.txt.gz.

That file is part of CLIP (https://github.com/openai/CLIP, MIT) and of the package open_clip_torch.

Run from the root of the repository: scripts/make-clip-vocabulary.py bpe_simple_vocab_16e6.txt.gz
"""
import gzip
import pathlib
import sys

SOURCE = sys.argv[1]
OUT = pathlib.Path(__file__).resolve().parent.parent / (
    "Sources/DiffusionModels/Tokenizer/CLIPMerges.swift")
# The vocabulary has 49408 entries: 256 bytes, each also as the end of a word, and two marks.
COUNT = 49408 - 2 * 256 - 2

merges = gzip.open(SOURCE).read().decode("utf-8").split("\n")[1:1 + COUNT]
assert len(merges) == COUNT and all(merge.count(" ") == 1 for merge in merges)
assert not any('"""' in merge for merge in merges)
OUT.write_text('''// swift-format-ignore-file
// Written by scripts/make-clip-vocabulary.py. From CLIP, copyright (c) 2021 OpenAI, MIT licence: see NOTICE.

/// The pairs that make up CLIP's vocabulary, one a line, the most frequent first.
let clipMerges = ##"""
''' + "\n".join(merges) + '''
"""##
''', encoding="utf-8")
