#!/usr/bin/env bash
# Installs what is missing and runs every test.
#
# usage: test.sh [--skip-build] [arguments of swift test, such as --filter LoRATests]
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
swift="$(scripts/bootstrap.sh)"
export PATH="${swift:+$swift:}$PATH"
# Completion scripts are tested in the shells that they are for, several processes with Open MPI.
scripts/apt.sh zsh fish openmpi-bin procps
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
# Three processes, since what starts the tools waits for them most of the time: the faults, where nothing else is done,
# the other tests of the tools, and the rest.
told="$(mktemp -d)"
# Says what runs, and ends it, before whoever waits for the tests gives up and nobody learns which of them stood still.
limit="${LYCO_TESTS_LIMIT:-2400}"
[[ "$limit" =~ ^[0-9]+$ ]] || { echo "LYCO_TESTS_LIMIT: expected seconds, found '$limit'" >&2; exit 1; }
below() {
  local child
  for child in $(pgrep -P "$1"); do below "$child"; done
  echo "$1"
}
watch() {
  local own=$BASHPID end=$((SECONDS + limit)) tests
  while ((SECONDS < end)); do
    # What ends with this script, and keeps no pipe open behind it.
    sleep 2 >/dev/null 2>&1
    kill -0 $$ 2>/dev/null || exit 0
  done
  tests="$(pgrep -P $$ | grep -vx "$own")"
  echo "scripts/test.sh: the tests stand still, or take more than $limit s (LYCO_TESTS_LIMIT); what runs:" >&2 || true
  ps -o pid,ppid,stat,etimes,wchan:20,args --forest -p "$(below $$ | paste -sd,)" >&2 || true
  for process in $tests; do kill -KILL $(below "$process") || true; done
}
watch &
watcher=$!
behind=()
trap 'kill "$watcher" "${behind[@]}" 2>/dev/null || true; rm -rf "$told"' EXIT
run=("$bundle" --testing-library swift-testing --quiet)
"${run[@]}" --skip '^ToolTests\.' >"$told/others" 2>&1 &
behind+=($!)
"${run[@]}" --filter '^ToolTests\.FaultTests' >"$told/faults" 2>&1 &
behind+=($!)
status=0
"${run[@]}" --filter '^ToolTests\.' --skip '^ToolTests\.FaultTests' || status=$?
for process in "${behind[@]}"; do wait "$process" || status=$?; done
cat "$told"/*
exit "$status"
