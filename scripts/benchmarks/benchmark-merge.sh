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

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
work="${1:-${TMPDIR:-/tmp}/lyco-benchmark}"
python="${PYTHON:-python3}"

# shellcheck source=prepare-benchmark.sh
source "$root/scripts/benchmarks/prepare-benchmark.sh"
if [[ ! -e "$work/adapters/complete" ]]; then
  echo "generating adapters in $work/adapters" >&2
  mkdir -p "$work/adapters"
  "$BINDIR/lyco-extract" --dry_run --json "$work/base.safetensors" "$work/tuned.safetensors" \
    -o "$work/adapters/none.safetensors" \
    >"$work/plan.json"
  "$python" "$root/scripts/benchmarks/make-adapters.py" "$work/plan.json" "$work/adapters"
  touch "$work/adapters/complete"
fi
only=()
[[ -z "${ONLY:-}" ]] || read -ra only <<<"--only $ONLY"
exec "$python" "$root/scripts/benchmarks/benchmark-merge.py" "$BINDIR" "$work" --runs "${RUNS:-5}" \
  "${only[@]}"
