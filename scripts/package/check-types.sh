#!/usr/bin/env bash
# Holds the Python module in a wheel, and its tests, which use it, to their types.
#
# usage: check-types.sh WHEEL   after package.sh, which makes the environment for it
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
unzip -q "$1" 'lyco/*.py' lyco/py.typed -d "$work"
MYPYPATH="$work" .build/package/python/bin/python -m mypy --strict --cache-dir "$work/cache" --python-version 3.10 \
  "$work/lyco" Python/tests
