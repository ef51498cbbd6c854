#!/usr/bin/env bash
# usage: benchmark-folder.sh TOOLS [FOLDER]
# Time of `lyco-inspect FOLDER` on 300 adapters of SDXL's shape with a warm cache: five runs. Needs 1 GB in FOLDER
# (a temporary one if none is given).
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
tools=$1
folder=${2:-$(mktemp -d)}
[[ $# -gt 1 ]] || trap 'rm -rf "$folder"' EXIT
[[ -n "$(ls -A "$folder" 2>/dev/null)" ]] \
  || python3 "$root/scripts/benchmarks/make-adapter-folder.py" "$root/Fixtures/families/sdxl.sgm.txt" "$folder"
# One file is cut short, so that the status is 1.
"$tools/lyco-inspect" "$folder" | head -1 || true
for _ in 1 2 3 4 5; do
  start=$(date +%s%N)
  "$tools/lyco-inspect" "$folder" --json >"$folder/catalogue.json" 2>/dev/null || [[ $? == 1 ]]
  echo "$((($(date +%s%N) - start) / 1000000)) ms"
done
