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
# With the modes of folders, which others use too.
listed() { (cd "$prefix" && find . ! -path ./libexec/lyco/installed -printf '%y %p ' \( -type d -printf '%m\n' -o -printf '\n' \) | sort); }

# A file of another program, in a folder that the tools use too.
mkdir -p "$prefix/share/man/man1"
chmod 2775 "$prefix" "$prefix/share/man"
echo other >"$prefix/share/man/man1/other.1"
before="$(listed)"
(umask 077 && scripts/install.sh --prefix "$prefix" --built "$scratch" 2>/dev/null)
unreadable="$(find "$prefix" \( -type d ! -perm -755 -o -type f ! -perm -644 \))"
[[ -z "$unreadable" ]] || fail "expected what everybody can read, found $unreadable"
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
# What another program has put there stays.
mkdir "$prefix/bin"
echo another >"$prefix/bin/lyco-merge"
before="$(listed)"
! scripts/install.sh --prefix "$prefix" --built "$scratch" >/dev/null 2>"$work/errors" ||
  fail "expected a file of another program not to be replaced"
grep -q "bin/lyco-merge: expected nothing there" "$work/errors"
[[ "$(listed)" == "$before" ]] || fail "expected nothing to be installed, found $(listed)"
rm -r "$prefix/bin"
before="$(listed)"
# Cut short, as by a full disk.
mkdir "$work/failing"
printf '#!/bin/sh\ncase "$*" in *lyco-merge*) exit 1 ;; esac\nexec /bin/mv "$@"\n' >"$work/failing/mv"
chmod +x "$work/failing/mv"
! PATH="$work/failing:$PATH" scripts/install.sh --prefix "$prefix" --built "$scratch" >/dev/null 2>&1 ||
  fail "expected a failing 'mv' to end it"
[[ -L "$prefix/bin/lyco-extract" ]]
scripts/install.sh --prefix "$prefix" --uninstall >/dev/null
[[ "$(listed)" == "$before" ]] || fail "expected what was there before, found $(listed)"
# Nothing of its own in a prefix that was not there: it goes too.
scripts/install.sh --prefix "$work/new" --built "$scratch" >/dev/null 2>&1
scripts/install.sh --prefix "$work/new" --uninstall >/dev/null
[[ ! -e "$work/new" ]] || fail "expected nothing left, found $(find "$work/new")"
echo "check-install.sh: installed, replaced and removed"
