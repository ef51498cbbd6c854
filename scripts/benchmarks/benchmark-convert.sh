#!/usr/bin/env bash
# Measures how long lyco-convert takes to resize a LoRA of rank 128, of the shape of SDXL (722 modules of
# the UNet, fp16), to rank 32, and to combine it with one of rank 64 by svd.
#
# usage: benchmark-convert.sh [WORKDIR]
#
# WORKDIR (default: a folder lyco-benchmark below TMPDIR, as of benchmark.sh) needs 3 GB. Environment:
# PYTHON (a Python with scripts/requirements.txt, default python3), RUNS (default 5), BINDIR (built
# tools; without it a release build is made).
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
work="${1:-${TMPDIR:-/tmp}/lyco-benchmark}"
python="${PYTHON:-python3}"

# shellcheck source=prepare-tools.sh
source "$root/scripts/benchmarks/prepare-tools.sh"
# shellcheck source=prepare-loras.sh
source "$root/scripts/benchmarks/prepare-loras.sh"
lora="$work/sdxl-rank128.safetensors"
other="$work/sdxl-rank64.safetensors"
hyperfine --warmup 1 --runs "${RUNS:-5}" \
  --command-name "resize 128 to 32" \
  "'$BINDIR/lyco-convert' -q '$lora' --dim 32 -o '$work/resized.safetensors'" \
  --command-name "svd of ranks 128 and 64 to 128" \
  "'$BINDIR/lyco-convert' -q '$lora' '$other' --combine svd -o '$work/combined.safetensors'"
