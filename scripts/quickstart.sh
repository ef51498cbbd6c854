#!/usr/bin/env bash
# Installs the system libraries, builds lyco and runs its main job on a bundled real pair: a small
# diffusion model and its fine-tune. Extract, inspect, merge, verify, convert; then train an adapter and draw with it.
#
# usage: quickstart.sh [--yes]   --yes: fetch Swift without asking, if there is none
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
swift="$(scripts/bootstrap.sh "$@")"
export PATH="${swift:+$swift:}$PATH"
echo "building (some minutes the first time) …"
swift build -c release --quiet
bin="$(swift build -c release --show-bin-path)"
scripts/main-job.sh "$bin"

echo
echo "The tools are in $bin; each explains itself with --help. 'scripts/install.sh' installs them."
