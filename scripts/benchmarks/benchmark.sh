#!/usr/bin/env bash
# Measures lyco on checkpoints of real size and prints the table of docs/performance.md.
#
# usage: benchmark.sh [WORKDIR]
#        benchmark.sh train [WORKDIR]    (benchmark-train.sh)
#
# WORKDIR (default: a folder lyco-benchmark below TMPDIR) needs 10 GB; the generated checkpoints
# stay there for the next run. Environment: PYTHON (a Python with scripts/requirements.txt,
# default python3), RUNS (default 3), EVERY (check every Nth module for optimality, default 8),
# BINDIR (built tools; without it a release build is made).
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
if [[ "${1:-}" == train ]]; then exec "$root/scripts/benchmarks/benchmark-train.sh" "${@:2}"; fi
work="${1:-${TMPDIR:-/tmp}/lyco-benchmark}"
python="${PYTHON:-python3}"
# Spinning OpenMP threads of the peer would slow down everything measured beside it.
export OMP_WAIT_POLICY=PASSIVE

# shellcheck source=prepare-benchmark.sh
source "$root/scripts/benchmarks/prepare-benchmark.sh"
exec "$python" "$root/scripts/benchmarks/benchmark.py" "$BINDIR" "$work" \
  --runs "${RUNS:-3}" --every "${EVERY:-8}"
