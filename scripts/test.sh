#!/usr/bin/env bash
# Installs what is missing and runs every test.
#
# usage: test.sh [--skip-build] [arguments of swift test, such as --filter LoRATests]
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
build=(-c release -Xswiftc -enable-testing --scratch-path .build/tests)

skips=false
if [[ "${1-}" == --skip-build ]]; then
  skips=true
  shift
fi
if (($#)); then
  "$skips" && set -- --skip-build "$@"
  exec swift test "${build[@]}" --disable-xctest --quiet "$@"
fi

"$skips" || swift build "${build[@]}" --build-tests --quiet
bundle="$(swift build "${build[@]}" --show-bin-path)/lycoPackageTests.xctest"
# Three processes: what starts the tools waits for them half of the time, for the disk and for processes that are to hang.
slow='^ToolTests\.(FaultTests|Ranked|Launch|Interrupt)'
groups=("--skip ^ToolTests\." "--filter $slow" "--filter ^ToolTests\. --skip $slow")
told="$(mktemp -d)"
jobs=()
# Each in a group of its own: a shell lets what is behind it ignore Ctrl-C otherwise, and tests press it.
set -m
trap 'for job in "${jobs[@]}"; do kill -- "-$job" 2>/dev/null || true; done; rm -rf "$told"' EXIT
for group in "${!groups[@]}"; do
  read -ra choice <<<"${groups[group]}"
  "$bundle" --testing-library swift-testing --quiet "${choice[@]}" >"$told/$group" 2>&1 &
  jobs+=("$!")
done
status=0
for group in "${!jobs[@]}"; do
  wait "${jobs[group]}" || status=$?
  cat "$told/$group"
done
exit "$status"
