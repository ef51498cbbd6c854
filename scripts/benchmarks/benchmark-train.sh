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

case "${FAMILY:-sd1}" in
  sd1)
    # shellcheck source=prepare-benchmark.sh
    source "$root/scripts/benchmarks/prepare-benchmark.sh"
    base="$work/base.safetensors" ;;
  sdxl)
    # shellcheck source=prepare-tools.sh
    source "$root/scripts/benchmarks/prepare-tools.sh"
    base="$work/sdxl-bf16.safetensors"
    if [[ ! -e "$base" ]]; then
      echo "generating a checkpoint of 6.9 GB in $work" >&2
      # The published list leaves out what does not act on pictures, and what reads the second encoder.
      cat "$root/Fixtures/families/sdxl.sgm.txt" "$root/scripts/benchmarks/sdxl-rest.txt" >"$work/sdxl.txt"
      "$python" "$root/scripts/benchmarks/make-checkpoint.py" --bf16 "$work/sdxl.txt" "$base.part"
      mv "$base.part" "$base"
    fi ;;
  wan)
    # shellcheck source=prepare-tools.sh
    source "$root/scripts/benchmarks/prepare-tools.sh"
    base="$work/wan-bf16.safetensors"
    if [[ ! -e "$base" ]]; then
      echo "generating a checkpoint of 2.8 GB in $work" >&2
      "$python" "$root/scripts/benchmarks/make-checkpoint.py" --bf16 \
        "$root/Fixtures/families/wan2.1-t2v-1.3B.native.txt" "$base.part"
      mv "$base.part" "$base"
    fi ;;
  *) echo "benchmark-train.sh: FAMILY is '$FAMILY', expected sd1, sdxl or wan" >&2; exit 64 ;;
esac
options=(--family "${FAMILY:-sd1}" --runs "${RUNS:-2}" --steps "${STEPS:-6}" --size "${SIZE:-512}")
[[ -z "${ONLY:-}" ]] || read -ra only <<<"--precisions $ONLY"
[[ -z "${PROGRAMS:-}" ]] || read -ra programs <<<"--programs $PROGRAMS"
[[ -z "${MEMORY:-}" ]] || options+=(--memory "$MEMORY")
exec "$python" "$root/scripts/benchmarks/benchmark-train.py" "$BINDIR" "$base" "${options[@]}" \
  ${only[@]+"${only[@]}"} ${programs[@]+"${programs[@]}"}
