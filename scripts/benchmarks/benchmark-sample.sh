#!/usr/bin/env bash
# Measures a picture of lyco-sample at the shape of SD1.5 or SDXL, with guidance, beside diffusers, and prints
# the table of docs/performance.md. Of lyco-sample the whole command is timed, which reads the checkpoint; of
# diffusers what comes after its weights are in memory.
#
# usage: benchmark-sample.sh [WORKDIR]
#
# WORKDIR (default: a folder lyco-benchmark below TMPDIR, as of benchmark.sh) needs 5 GB, for SDXL 7; the
# generated checkpoints stay there for the next run. Environment: FAMILY (sd1, default, or sdxl), PYTHON (a
# Python with scripts/requirements.txt, default python3), RUNS (default 1), STEPS (default 20), SIZE (pixels,
# default 512), ONLY (of f32 and bf16, by blanks; default both), BINDIR (built tools; without it a release build
# is made).
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
work="${1:-${TMPDIR:-/tmp}/lyco-benchmark}"
python="${PYTHON:-python3}"
# Spinning OpenMP threads of the peer would slow down everything measured beside it.
export OMP_WAIT_POLICY=PASSIVE
FAMILY="${FAMILY:-sd1}"
# shellcheck source=prepare-base.sh
source "$root/scripts/benchmarks/prepare-base.sh"
options=(--family "$FAMILY" --runs "${RUNS:-1}" --steps "${STEPS:-20}" --size "${SIZE:-512}")
[[ -z "${ONLY:-}" ]] || read -ra only <<<"--precisions $ONLY"
exec "$python" "$root/scripts/benchmarks/benchmark-sample.py" "$BINDIR" "$base" "${options[@]}" \
  ${only[@]+"${only[@]}"}
