#!/usr/bin/env bash
# Draws the pictures of docs with lyco-sample, from Fixtures alone, by the commands that stand beside them in docs. Takes
# half a minute. The same machine draws the same bytes.
#
# usage: draw-pictures.sh BINDIR [FOLDER]
#
# FOLDER: where the pictures go, docs by default.
set -euo pipefail

if (($# < 1 || $# > 2)); then
  echo "usage: draw-pictures.sh BINDIR [FOLDER]" >&2
  exit 64
fi
bin="$(cd "$1" && pwd)"
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
pictures="$(cd "${2:-$root/docs}" && pwd)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
ln -s "$root/Fixtures" "$work/Fixtures"
cd "$work"
export PATH="$bin:$PATH"

# block FILE TEXT: the first block of code in FILE that has TEXT in it.
block() {
  local found
  found="$(awk -v text="$2" '
    /^```/ { if (inside && index(lines, text)) { printf "%s", lines; exit }
             inside = !inside; lines = ""; next }
    inside { lines = lines $0 "\n" }' "$root/$1")"
  if [[ -z "$found" ]]; then
    echo "draw-pictures.sh: $1: expected a block of code with '$2', found none" >&2
    exit 1
  fi
  printf '%s\n' "$found"
}

# run FILE TEXT: does what stands there.
run() {
  local commands
  commands="$(block "$1" "$2")"
  printf '\n%s\n' "$commands"
  bash -euo pipefail -c "$commands"
}

block docs/training.md '[[datasets]]' >bags.toml
run docs/training.md 'lyco-train --pretrained_model_name_or_path Fixtures/training/tiny --dataset_config'
run docs/training.md '--grid training-bags.png'
run docs/lyco-sample.md '--grid strengths-bags.png'
mv training-bags.png strengths-bags.png "$pictures"
echo
(cd "$pictures" && wc -c training-bags.png strengths-bags.png)
