#!/usr/bin/env bash
# Puts the tools into a folder, with Swift's runtime inside: one executable, and a link to it by the name of each.
#
# usage: link.sh OUT [SCRATCH]   SCRATCH: what was built there is linked; else the release build of .build is brought up
# to date first
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
out="$1" scratch="${2-}"
if [[ -z "$scratch" ]]; then
  swift build -c release --quiet
  scratch=.build
fi
rm -rf "$out.new"
mkdir -p "$out.new"
scripts/package/link-tools.py "$scratch" "$out.new/lyco" --commit "$(scripts/package/commit.sh)"
rm -f "$out.new"/*.{o,txt,autolink}
sed -n 's/TOOL(\(.*\))/\1/p' "$out.new/tools.h" | while read -r tool; do
  ln -sfn lyco "$out.new/lyco-$tool"
done
rm -rf "$out.new/tools.h" "$out"
mv "$out.new" "$out"
