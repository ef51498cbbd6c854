# Sourced by the benchmarks after `root`, `work` and `python` are set: the tools, and two checkpoints of the
# shape of SD1.5 in the work folder, written once.

# shellcheck source=prepare-tools.sh
source "$root/scripts/benchmarks/prepare-tools.sh"
if [[ ! -e "$work/complete" ]]; then
  echo "generating two checkpoints of 2.1 GB in $work" >&2
  "$python" "$root/scripts/benchmarks/make-checkpoint.py" "$root/Fixtures/families/sd1.ldm.txt" \
    "$work/base.safetensors" "$work/tuned.safetensors"
  touch "$work/complete"
fi
