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

# Removes what names on standard input say, those of folders only where they are empty then.
remove() {
  local name
  tac | while IFS= read -r name; do
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
  mapfile -t installed <"$list"
  printf '%s\n' "${installed[@]}" | remove
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
umask 022
stage="$(mktemp -d .build/package/install.XXXXXX)"
trap 'rm -rf "$stage"' EXIT
scripts/package/stage-files.sh .build/package/tools "$stage" share/zsh/site-functions

mapfile -t folders < <(cd "$stage" && find . -mindepth 1 -type d -printf '%P/\n' | sort)
mapfile -t files < <(cd "$stage" && find . ! -type d -printf '%P\n' | sort)
before=() made=()
[[ ! -e "$list" ]] || mapfile -t before <"$list"
declare -A earlier=() now=()
for name in "${before[@]}"; do earlier["$name"]=1; done
for name in "${files[@]}"; do
  now["$name"]=1
  [[ ! -e "$prefix/$name" && ! -L "$prefix/$name" ]] || [[ -n "${earlier["$name"]-}" ]] || {
    echo "install.sh: $prefix/$name: expected nothing there that 'install.sh' has not installed, found something; remove it first" >&2
    exit 1
  }
done
for name in "${folders[@]}"; do
  # Folders that an earlier installation has made are this one's too.
  if [[ ! -d "$prefix/$name" || -n "${earlier["$name"]-}" ]]; then made+=("$name") now["$name"]=1; fi
done
write_list() {
  printf '%s\n' "$@" >"$list.new"
  mv -f "$list.new" "$list"
}
# Where files lie until they are whole.
new=libexec/lyco/new
own=("${made[@]}" libexec/lyco/installed{,.new} "$new" "${files[@]}")
mkdir -p "$prefix/libexec/lyco"
# The list comes first, and still has what an earlier one has: '--uninstall' finds all, whatever ends this.
write_list "${own[@]}" "${before[@]}"
for name in "${folders[@]}"; do mkdir -p "$prefix/$name"; done
for name in "${files[@]}"; do
  cp -P --preserve=mode,timestamps "$stage/$name" "$prefix/$new"
  mv -fT "$prefix/$new" "$prefix/$name"
done
for name in "${own[@]}"; do now["$name"]=1; done
for name in "${before[@]}"; do
  [[ -n "${now["$name"]-}" ]] || echo "$name"
done | remove
write_list "${own[@]}"
echo "installed in $prefix: $("$prefix/bin/lyco-extract" --version)"
[[ ":$PATH:" == *":$prefix/bin:"* ]] || echo "$prefix/bin is not on the path" >&2
