#!/usr/bin/env bash
# Installs what is missing and runs every test.
#
# usage: test.sh [arguments of swift test, such as --filter LoRATests]
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/bootstrap.sh
# Completion scripts are tested in the shells that they are for, several processes with Open MPI.
missing=()
for program in zsh fish; do
  command -v "$program" >/dev/null || missing+=("$program")
done
command -v mpirun >/dev/null || missing+=(openmpi-bin)
if ((${#missing[@]})); then
  sudo=()
  ((EUID == 0)) || sudo=(sudo)
  "${sudo[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends \
    "${missing[@]}" >/dev/null
fi
# Suites run side by side; with a pool of BLAS threads each, they wait for one another.
export OPENBLAS_NUM_THREADS=1
# Optimized, since the tests spend their time in numbers and in starting tools, in a folder of their own: these
# tools know the worked example of a family too, see Package.swift.
export LYCO_TESTS=1
swift test -c release -Xswiftc -enable-testing --scratch-path .build/tests --disable-xctest --quiet "$@"
