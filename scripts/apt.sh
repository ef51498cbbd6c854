#!/usr/bin/env bash
# Installs those of some packages that this Debian or Ubuntu lacks.
#
# usage: apt.sh PACKAGE…
set -euo pipefail

missing=() sudo=()
for package in "$@"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
((${#missing[@]})) || exit 0
((EUID == 0)) || sudo=(sudo)
for program in apt-get "${sudo[@]}"; do
  command -v "$program" >/dev/null || {
    echo "apt.sh: expected '$program' to install what is missing, found none; install ${missing[*]}" >&2
    exit 1
  }
done
echo "installing ${missing[*]}" >&2
"${sudo[@]}" apt-get update -qq >&2
DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
