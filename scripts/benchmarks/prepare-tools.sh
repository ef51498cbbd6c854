# Sourced by the benchmarks after `root`, `work` and `python` are set: checks Python, builds the tools
# (BINDIR) and makes the work folder.

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
