#!/usr/bin/env bash
# Measures what docs/performance.md says of the tools without a peer, and says what has become slower than the committed
# figures.json: some five minutes on two cores. How time grows is benchmark-growth.py's.
#
# usage: all.sh [WORKDIR] [--only GROUP…] [--json FILE]
#
# WORKDIR (default: a folder lyco-benchmark below TMPDIR, as of benchmark.sh) needs 10 GB; what is generated stays there for
# the next run, and making it is not counted. Environment: PYTHON (a Python with scripts/requirements.txt, default
# python3), BINDIR (built tools; without it a release build is made).
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
work="${TMPDIR:-/tmp}/lyco-benchmark"
if [[ "${1:-}" != "" && "${1:-}" != --* ]]; then
  work="$1"
  shift
fi
python="${PYTHON:-python3}"
benchmarks="$root/scripts/benchmarks"
# shellcheck source=prepare-benchmark.sh
source "$benchmarks/prepare-benchmark.sh"
# shellcheck source=prepare-loras.sh
source "$benchmarks/prepare-loras.sh"
if [[ ! -e "$work/catalogue/complete" ]]; then
  rm -rf "$work/catalogue"
  "$python" "$benchmarks/make-adapter-folder.py" "$root/Fixtures/families/sdxl.sgm.txt" "$work/catalogue" >&2
  touch "$work/catalogue/complete"
fi
exec "$python" "$benchmarks/all.py" "$BINDIR" "$work" "$@"
