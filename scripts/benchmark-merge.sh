#!/usr/bin/env bash
# Measures the merge of an adapter of every algorithm into a checkpoint of the shape of SD1.5, and
# prints seconds and the ratio to a plain LoRA.
#
# usage: benchmark-merge.sh [WORKDIR]
#
# WORKDIR (default: a folder lyco-benchmark below TMPDIR, as of benchmark.sh) needs 12 GB; what is
# generated stays there for the next run. Environment: PYTHON (a Python with
# scripts/requirements.txt, default python3), RUNS (default 5), ONLY (algorithms, by blanks; default
# all), BINDIR (built tools; without it a release build is made).
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
work="${1:-${TMPDIR:-/tmp}/lyco-benchmark}"
python="${PYTHON:-python3}"

if ! "$python" -c 'import torch' 2>/dev/null; then
  echo "benchmark-merge.sh: $python lacks torch; install scripts/requirements.txt and set PYTHON" >&2
  exit 1
fi
if [[ -z "${BINDIR:-}" ]]; then
  swift build --package-path "$root" -c release >&2
  BINDIR="$(swift build --package-path "$root" -c release --show-bin-path)"
fi
mkdir -p "$work"
if [[ ! -e "$work/complete" ]]; then
  echo "generating two checkpoints of 2.1 GB in $work" >&2
  "$python" "$root/scripts/make-checkpoint.py" "$root/Fixtures/families/sd1.ldm.txt" \
    "$work/base.safetensors" "$work/tuned.safetensors"
  touch "$work/complete"
fi
if [[ ! -e "$work/adapters/complete" ]]; then
  echo "generating adapters in $work/adapters" >&2
  mkdir -p "$work/adapters"
  "$BINDIR/lyco-extract" --dry_run --json "$work/base.safetensors" "$work/tuned.safetensors" \
    -o "$work/adapters/none.safetensors" \
    >"$work/plan.json"
  "$python" "$root/scripts/make-adapters.py" "$work/plan.json" "$work/adapters"
  touch "$work/adapters/complete"
fi
only=()
[[ -z "${ONLY:-}" ]] || read -ra only <<<"--only $ONLY"
exec "$python" "$root/scripts/benchmark-merge.py" "$BINDIR" "$work" --runs "${RUNS:-5}" \
  "${only[@]}"
