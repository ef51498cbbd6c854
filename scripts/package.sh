#!/usr/bin/env bash
# Builds a package of the tools in dist: a wheel for pip, or a package for Debian and Ubuntu.
#
# usage: package.sh wheel|deb [--built SCRATCH] [--dist DIR] [--yes]
#   --built   link what was built there (as by swift build --scratch-path) instead of building
#   --dist    where it goes (dist); an older one of the same kind there makes way
#   --yes     fetch Swift without asking, if there is none
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
kind="${1-}"
[[ "$kind" == wheel || "$kind" == deb ]] || {
  echo "package.sh: expected 'wheel' or 'deb', found '$kind'" >&2
  exit 64
}
shift
built="" dist=dist yes=""
while (($#)); do
  case "$1" in
    --built | --dist)
      [[ -n "${2-}" ]] || {
        echo "package.sh: '$1': expected a folder" >&2
        exit 64
      }
      if [[ "$1" == --built ]]; then built="$2"; else dist="$2"; fi
      shift
      ;;
    --yes) yes=1 ;;
    *)
      echo "package.sh: expected '--built', '--dist' or '--yes', found '$1'" >&2
      exit 64
      ;;
  esac
  shift
done

swift="$(scripts/bootstrap.sh ${yes:+--yes})"
export PATH="${swift:+$swift:}$PATH"
case "$kind" in
  wheel) scripts/apt.sh python3-venv binutils ;;
  deb) scripts/apt.sh dpkg-dev binutils ;;
esac
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
    PATH="$PWD/$work/python/bin:$PATH" "$python" scripts/package/build-wheel.py "$work/tools" "${built:-.build}" \
      "$release" "$(scripts/package/commit.sh)" "$dist"
    ;;
  deb) scripts/package/build-deb.sh "$work/tools" "$release" "$dist" ;;
esac
