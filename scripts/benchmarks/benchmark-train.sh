#!/usr/bin/env bash
# Measures a training step of lyco-train at the shape of SD1.5, SDXL or Wan 2.1 1.3B, 512 pixels, batch 1, LoRA
# of rank 16 on attention and feed-forward (192, 722 or 300 modules), beside PyTorch with lycoris-lora (for Wan
# with peft), and prints the table of docs/performance.md. The denoiser alone is timed: latents and, but for
# SD1.5, what text encoders make of the caption are kept.
#
# usage: benchmark-train.sh [WORKDIR]
#
# WORKDIR (default: a folder lyco-benchmark below TMPDIR, as of benchmark.sh) needs 5 GB, for SDXL 7; the
# generated checkpoints stay there for the next run. Needs 11 GB of memory for the peer of SD1.5. Environment:
# FAMILY (sd1, default, sdxl or wan), PYTHON (a Python with scripts/requirements.txt, default python3), RUNS
# (default 2), STEPS (timed in each run, default 6), SIZE (pixels, default 512), ONLY (of f32 and bf16, by
# blanks; default both, for SDXL and Wan bf16), PROGRAMS (of default, bypass, peft, plain and
# checkpointing; default all of the family), MEMORY (GB that lyco-train may take), BINDIR (built tools; without it a release build is made).
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
work="${1:-${TMPDIR:-/tmp}/lyco-benchmark}"
python="${PYTHON:-python3}"
# Spinning OpenMP threads of the peer would slow down everything measured beside it.
export OMP_WAIT_POLICY=PASSIVE

FAMILY="${FAMILY:-sd1}"
# shellcheck source=prepare-base.sh
source "$root/scripts/benchmarks/prepare-base.sh"
options=(--family "$FAMILY" --runs "${RUNS:-2}" --steps "${STEPS:-6}" --size "${SIZE:-512}")
[[ -z "${ONLY:-}" ]] || read -ra only <<<"--precisions $ONLY"
[[ -z "${PROGRAMS:-}" ]] || read -ra programs <<<"--programs $PROGRAMS"
[[ -z "${MEMORY:-}" ]] || options+=(--memory "$MEMORY")
exec "$python" "$root/scripts/benchmarks/benchmark-train.py" "$BINDIR" "$base" "${options[@]}" \
  ${only[@]+"${only[@]}"} ${programs[@]+"${programs[@]}"}
