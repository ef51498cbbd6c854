#!/usr/bin/env bash
# Installs the system libraries that the build needs, if any is missing. Debian or Ubuntu.
set -euo pipefail

packages=(
  libopenblas-dev liblapacke-dev libzstd-dev libssl-dev libdnnl-dev libpng-dev libjpeg-dev libwebp-dev
  libre2-dev
  pkg-config
)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' ||
    missing+=("$package")
done
if ((${#missing[@]})); then
  echo "installing ${missing[*]}" >&2
  sudo=()
  ((EUID == 0)) || sudo=(sudo)
  "${sudo[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends \
    "${missing[@]}" >/dev/null
fi
if ! command -v swift >/dev/null; then
  echo "bootstrap.sh: Swift 6.3 or newer is needed: https://www.swift.org/install" >&2
  exit 1
fi
