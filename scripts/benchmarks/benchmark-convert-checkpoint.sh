#!/usr/bin/env bash
# Measures the conversion of a checkpoint of the shape of SDXL from float16 to other formats beside
# the time that cp takes for the same file, and prints seconds, ratios and anonymous memory.
#
# usage: benchmark-convert-checkpoint.sh [WORKDIR]
#
# WORKDIR (default: a folder lyco-benchmark below TMPDIR, as of benchmark.sh) needs 14 GB; the
# checkpoint stays there for the next run. Environment: PYTHON (a Python with
# scripts/requirements.txt, default python3), RUNS (default 5), FORMATS (by blanks, default bf16),
# BINDIR (built tools; without it a release build is made).
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
work="${1:-${TMPDIR:-/tmp}/lyco-benchmark}"
python="${PYTHON:-python3}"

# shellcheck source=prepare-tools.sh
source "$root/scripts/benchmarks/prepare-tools.sh"
if [[ ! -e "$work/sdxl.complete" ]]; then
  echo "generating a checkpoint of 6.9 GB in $work" >&2
  "$python" "$root/scripts/benchmarks/make-checkpoint.py" "$root/Fixtures/families/sdxl.sgm.txt" \
    "$work/sdxl.safetensors"
  touch "$work/sdxl.complete"
fi
read -ra formats <<<"${FORMATS:-bf16}"
exec "$python" "$root/scripts/benchmarks/benchmark-convert-checkpoint.py" "$BINDIR" "$work" \
  --runs "${RUNS:-5}" --formats "${formats[@]}"
