#!/usr/bin/env bash
# Holds scripts/install.sh to what it says: what it installs works and is found, what it removes is what it installed.
#
# usage: check-install.sh SCRATCH   what was built there is installed
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
scratch="$1"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
prefix="$work/a prefix"

fail() {
  echo "check-install.sh: $*" >&2
  exit 1
}
listed() { (cd "$prefix" && find . ! -path ./libexec/lyco/installed | sort); }

# A file of another program, in a folder that the tools use too.
mkdir -p "$prefix/share/man/man1"
echo other >"$prefix/share/man/man1/other.1"
before="$(listed)"
scripts/install.sh --prefix "$prefix" --built "$scratch" 2>/dev/null
for tool in extract merge convert inspect train sample; do
  "$prefix/bin/lyco-$tool" --version >/dev/null
  [[ -s "$prefix/share/man/man1/lyco-$tool.1.gz" ]] || fail "expected a man page of lyco-$tool"
  [[ -s "$prefix/share/bash-completion/completions/lyco-$tool" ]] || fail "expected completions of lyco-$tool"
done
# The tools need nothing of the toolchain.
! ldd "$prefix/bin/lyco-train" | grep -i swift || fail "expected no library of Swift"
installed="$(listed)"
# An older installation had a file more.
echo share/man/man1/lyco-older.1 >>"$prefix/libexec/lyco/installed"
echo older >"$prefix/share/man/man1/lyco-older.1"
scripts/install.sh --prefix "$prefix" --built "$scratch" >/dev/null 2>&1
[[ "$(listed)" == "$installed" ]] || fail "expected the same files by a second installation, found $(listed)"
scripts/install.sh --prefix "$prefix" --uninstall >/dev/null
[[ "$(listed)" == "$before" ]] || fail "expected what was there before, found $(listed)"
! scripts/install.sh --prefix "$prefix" --uninstall 2>"$work/errors" || fail "expected nothing left to remove"
grep -q 'expected the list of an installation' "$work/errors"
! scripts/install.sh --prefix "$prefix/share/man/man1/other.1/below" --built "$scratch" 2>"$work/errors" ||
  fail "expected a file not to be taken for a folder"
grep -q 'expected a folder that can be written to' "$work/errors"
# Nothing of its own in a prefix that was not there: it goes too.
scripts/install.sh --prefix "$work/new" --built "$scratch" >/dev/null 2>&1
scripts/install.sh --prefix "$work/new" --uninstall >/dev/null
[[ ! -e "$work/new" ]] || fail "expected nothing left, found $(find "$work/new")"
echo "check-install.sh: installed, replaced and removed"
