#!/usr/bin/env bash
# Measures how long the tools take to refuse each broken file of the fixtures; prints the slowest.
#
# usage: time-failures.sh BINDIR
set -euo pipefail

bin="$(cd "${1:?usage: time-failures.sh BINDIR}" && pwd)"
cd "$(dirname "${BASH_SOURCE[0]}")/../../Fixtures"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
good=real/waifu2x-cunet/base.safetensors

# Torch files too large to keep.
python3 ../scripts/fixtures/make-hostile-torch-files.py --large "$work"

for file in broken/* hostile/* "$work"/large-*; do
  for arguments in "lyco-extract $good $file" "lyco-merge $file lora/sd1-small/kohya.safetensors"; do
    start="$(date +%s%N)"
    # shellcheck disable=SC2086 # the arguments are words
    "$bin"/$arguments -o "$work/out.safetensors" 2>/dev/null && {
      echo "time-failures.sh: $arguments was not refused" >&2
      exit 1
    }
    echo "$((($(date +%s%N) - start) / 1000000)) ms  $arguments"
  done
done | sort -rn | head -3
