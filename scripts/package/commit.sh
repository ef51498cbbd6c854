#!/usr/bin/env bash
# Prints the commit that the sources are, with a + behind it if they are not quite; nothing outside of a repository.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
commit="$(git rev-parse --short=12 HEAD 2>/dev/null)" || exit 0
[[ -z "$(git status --porcelain --untracked-files=no)" ]] || commit+=+
echo "$commit"
