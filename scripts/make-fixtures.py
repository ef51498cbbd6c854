#!/usr/bin/env python3
"""Writes the golden files of every algorithm, of a small model and of extraction.

usage: make-fixtures.py [part]...      (default: all; the parts are the names in PARTS)

Needs the packages of scripts/requirements.txt. Every random number comes from a seed written in
scripts/fixtures/common.py, so the same versions write the same bytes; Fixtures/README.md says
which versions wrote the committed ones.
"""

import importlib
import logging
import pathlib
import sys
import warnings

PARTS = {"cases": "merge_cases", "spellings": "spellings", "model": "model_case",
         "algorithms": "algorithm_models",
         "extract": "extract_cases", "loha": "loha_cases", "lokr": "lokr_cases",
         "glora": "glora_cases", "ia3": "ia3_cases", "oft": "oft_cases", "dora": "dora_cases",
         "other": "other_cases"}


def main(names):
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    unknown = sorted(set(names) - set(PARTS))
    if unknown:
        sys.exit(f"make-fixtures.py: unknown part {unknown[0]}; one of: {' '.join(PARTS)}")
    for name in names or PARTS:
        written = importlib.import_module(f"fixtures.{PARTS[name]}").write()
        print(f"{name}: {len(written)} written")


if __name__ == "__main__":
    main(sys.argv[1:])
