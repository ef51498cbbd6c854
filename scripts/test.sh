#!/usr/bin/env bash
# Installs what is missing and runs every test.
#
# usage: test.sh [arguments of swift test, such as --filter LoRATests]
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
swift="$(scripts/bootstrap.sh)"
export PATH="${swift:+$swift:}$PATH"
# Completion scripts are tested in the shells that they are for, several processes with Open MPI.
scripts/apt.sh zsh fish openmpi-bin
# Suites run side by side; with a pool of BLAS threads each, they wait for one another.
export OPENBLAS_NUM_THREADS=1
# Optimized, since the tests spend their time in numbers and in starting tools, in a folder of their own: these
# tools know the worked example of a family too, see Package.swift.
export LYCO_TESTS=1
swift test -c release -Xswiftc -enable-testing --scratch-path .build/tests --disable-xctest --quiet "$@"
