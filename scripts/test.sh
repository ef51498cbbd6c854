#!/usr/bin/env bash
# Installs what is missing and runs every test.
#
# usage: test.sh [arguments of swift test, such as --filter LoRATests]
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/bootstrap.sh
swift test --disable-xctest --quiet "$@"
