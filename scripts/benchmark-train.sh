#!/usr/bin/env bash
# Measures a training step of lyco-train at the shape of SD1.5, 512 pixels, batch 1, LoRA of rank 16 on
# attention and feed-forward, beside PyTorch with lycoris-lora, and prints the table of
# docs/performance.md.
#
# usage: benchmark-train.sh [WORKDIR]
#
# WORKDIR (default: a folder lyco-benchmark below TMPDIR, as of benchmark.sh) needs 5 GB; the generated
# checkpoints stay there for the next run. Needs 11 GB of memory for the peer. Environment: PYTHON (a
# Python with scripts/requirements.txt, default python3), RUNS (default 2), STEPS (timed in each run,
# default 6), ONLY (of f32 and bf16, by blanks; default both), BINDIR (built tools; without it a release
# build is made).
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
work="${1:-${TMPDIR:-/tmp}/lyco-benchmark}"
python="${PYTHON:-python3}"
# Spinning OpenMP threads of the peer would slow down everything measured beside it.
export OMP_WAIT_POLICY=PASSIVE

# shellcheck source=prepare-benchmark.sh
source "$root/scripts/prepare-benchmark.sh"
only=()
[[ -z "${ONLY:-}" ]] || read -ra only <<<"--only $ONLY"
exec "$python" "$root/scripts/benchmark-train.py" "$BINDIR" "$work" --runs "${RUNS:-2}" \
  --steps "${STEPS:-6}" "${only[@]}"
