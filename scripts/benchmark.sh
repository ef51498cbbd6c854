#!/usr/bin/env bash
# Measures lyco on checkpoints of real size and prints the table of docs/performance.md.
#
# usage: benchmark.sh [WORKDIR]
#
# WORKDIR (default: a folder lyco-benchmark below TMPDIR) needs 10 GB; the generated checkpoints
# stay there for the next run. Environment: PYTHON (a Python with scripts/requirements.txt,
# default python3), RUNS (default 3), EVERY (check every Nth module for optimality, default 8),
# BINDIR (built tools; without it a release build is made).
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
work="${1:-${TMPDIR:-/tmp}/lyco-benchmark}"
python="${PYTHON:-python3}"
# Spinning OpenMP threads of the peer would slow down everything measured beside it.
export OMP_WAIT_POLICY=PASSIVE

if ! "$python" -c 'import torch, safetensors' 2>/dev/null; then
  echo "benchmark.sh: $python lacks torch or safetensors;" \
    "install scripts/requirements.txt and set PYTHON" >&2
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
exec "$python" "$root/scripts/benchmark.py" "$BINDIR" "$work" \
  --runs "${RUNS:-3}" --every "${EVERY:-8}"
