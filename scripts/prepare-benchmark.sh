# Sourced by the benchmarks after `root`, `work` and `python` are set: checks Python, builds the tools
# (BINDIR) and writes two checkpoints of the shape of SD1.5 to the work folder, once.

if ! "$python" -c 'import torch, safetensors' 2>/dev/null; then
  echo "$(basename "$0"): $python lacks torch or safetensors;" \
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
