#!/usr/bin/env bash
# Builds the tools and installs them with their man pages and completions. Swift's runtime is in them, so that they run
# without the toolchain that built them.
#
# usage: install.sh [--prefix DIR] [--uninstall] [--yes] [--built SCRATCH]
#   --prefix      below which they go (/usr/local); bin in it should be on the path
#   --uninstall   remove what an installation has put there, and nothing else
#   --yes         fetch Swift without asking, if there is none
#   --built       link what was built there instead of building
set -euo pipefail

prefix=/usr/local uninstall="" yes="" built="" given="$PWD"
while (($#)); do
  case "$1" in
    --prefix | --built)
      [[ -n "${2-}" ]] || {
        echo "install.sh: '$1': expected a folder" >&2
        exit 64
      }
      if [[ "$1" == --prefix ]]; then prefix="$2"; else built="$2"; fi
      shift
      ;;
    --uninstall) uninstall=1 ;;
    --yes) yes=1 ;;
    *)
      echo "install.sh: expected '--prefix', '--uninstall', '--yes' or '--built', found '$1'" >&2
      exit 64
      ;;
  esac
  shift
done
[[ "$prefix" == /* ]] || prefix="$given/$prefix"
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# What was installed, one name in a line, folders that were made for it with a slash behind.
list="$prefix/libexec/lyco/installed"

# What an installation has put there; of folders those that are empty then.
remove() {
  local name
  tac "$list" | while IFS= read -r name; do
    case "$name" in
      */) rmdir "$prefix/$name" 2>/dev/null || true ;;
      *) rm -f "$prefix/$name" ;;
    esac
  done
}

if [[ -n "$uninstall" ]]; then
  [[ -e "$list" ]] || {
    echo "install.sh: $list: expected the list of an installation, found none; was it below another '--prefix'?" >&2
    exit 1
  }
  remove
  [[ ! -d "$prefix" ]] || rmdir "$prefix" 2>/dev/null || true
  echo "removed from $prefix"
  exit 0
fi

existing="$prefix"
while [[ ! -e "$existing" ]]; do existing="$(dirname "$existing")"; done
[[ -d "$existing" && -w "$existing" ]] || {
  echo "install.sh: $prefix: expected a folder that can be written to, found none; run it as root, or give '--prefix ~/.local'" >&2
  exit 1
}
swift="$(scripts/bootstrap.sh ${yes:+--yes})"
export PATH="${swift:+$swift:}$PATH"
[[ -n "$built" ]] || echo "building (some minutes the first time) …" >&2
scripts/package/link.sh .build/package/tools ${built:+"$built"}
stage="$(mktemp -d .build/package/install.XXXXXX)"
trap 'rm -rf "$stage"' EXIT
scripts/package/stage-files.sh .build/package/tools "$stage" share/zsh/site-functions

# What the last one put there and this does not, goes; folders that it made stay on the list.
made=()
[[ ! -e "$list" ]] || {
  mapfile -t made < <(grep '/$' "$list")
  remove
}
: >"$stage/libexec/lyco/installed"
mapfile -t folders < <(cd "$stage" && find . -mindepth 1 -type d -printf '%P/\n' | sort)
mapfile -t files < <(cd "$stage" && find . ! -type d -printf '%P\n' | sort)
for name in "${folders[@]}"; do
  if [[ ! -d "$prefix/$name" ]] || [[ " ${made[*]} " == *" $name "* ]]; then echo "$name"; fi
done >"$stage/libexec/lyco/installed.new"
printf '%s\n' "${files[@]}" >>"$stage/libexec/lyco/installed.new"
mv "$stage/libexec/lyco/installed.new" "$stage/libexec/lyco/installed"
mkdir -p "$prefix"
cp -a --no-preserve=ownership "$stage/." "$prefix"
echo "installed in $prefix: $("$prefix/bin/lyco-extract" --version)"
[[ ":$PATH:" == *":$prefix/bin:"* ]] || echo "$prefix/bin is not on the path" >&2
