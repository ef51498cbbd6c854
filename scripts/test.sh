#!/usr/bin/env bash
# Installs what is missing and runs every test.
#
# usage: test.sh [arguments of swift test, such as --filter LoRATests]
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/bootstrap.sh
# Suites run side by side; with a pool of BLAS threads each, they wait for one another.
export OPENBLAS_NUM_THREADS=1
swift test --disable-xctest --quiet "$@"
