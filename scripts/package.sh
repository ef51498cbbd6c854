#!/usr/bin/env bash
# Builds a package of the tools in dist: a wheel for pip, or a package for Debian and Ubuntu.
#
# usage: package.sh wheel|deb [--built SCRATCH] [--dist DIR]
#   --built   link what was built there (as by swift build --scratch-path) instead of building
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
kind="${1-}"
[[ "$kind" == wheel || "$kind" == deb ]] || {
  echo "package.sh: expected 'wheel' or 'deb', found '$kind'" >&2
  exit 64
}
shift
built="" dist=dist
while (($#)); do
  case "$1" in
    --built) built="${2:?package.sh: '--built': expected a folder}" ;;
    --dist) dist="${2:?package.sh: '--dist': expected a folder}" ;;
    *)
      echo "package.sh: expected '--built' or '--dist', found '$1'" >&2
      exit 64
      ;;
  esac
  shift 2
done

work=.build/package
release="$(scripts/package/version.sh)"
scripts/package/link.sh "$work/tools" ${built:+"$built"}
case "$kind" in
  wheel)
    # auditwheel and what it needs, in an environment of their own.
    python="$work/python/bin/python"
    if ! cmp -s scripts/package/requirements.txt "$work/python/requirements.txt"; then
      rm -rf "$work/python"
      python3 -m venv "$work/python"
      "$python" -m pip install --quiet -r scripts/package/requirements.txt
      cp scripts/package/requirements.txt "$work/python/requirements.txt"
    fi
    PATH="$PWD/$work/python/bin:$PATH" "$python" scripts/package/build-wheel.py "$work/tools" "$release" \
      "$(scripts/package/commit.sh)" "$dist"
    ;;
  deb) scripts/package/build-deb.sh "$work/tools" "$release" "$dist" ;;
esac
