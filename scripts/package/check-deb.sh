#!/usr/bin/env bash
# Holds the package for Debian to lintian, and in a small Debian 12 without Swift installs it, has it do the main job,
# puts a later version over it and the older one back, removes and purges it: no file may be left. Needs root and debootstrap.
#
# usage: check-deb.sh PACKAGE [--lint-only]
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
package="$1"
if [[ "${2-}" != --inside ]]; then
  lintian --fail-on error "$package"
  # What it unpacks runs here too, where its libraries are.
  work="$(mktemp -d)"
  trap 'rm -rf "$work"' EXIT
  dpkg-deb --extract "$package" "$work"
  for tool in "$work"/usr/bin/lyco-*; do
    "$tool" --version
    mandoc -T lint -W warning "$work/usr/share/man/man1/$(basename "$tool").1.gz"
    bash -n "$work/usr/share/bash-completion/completions/$(basename "$tool")"
    for shell in zsh fish; do
      script="$(find "$work/usr/share/$shell" -name "*$(basename "$tool")*")"
      [[ -s "$script" ]]
      ! command -v "$shell" >/dev/null || "$shell" -n "$script"
    done
  done
  [[ "${2-}" != --lint-only ]] || exit 0
  [[ "$package" != /* ]] || package="${package#"$PWD"/}"
  exec scripts/package/in-chroot.sh python3,python3-venv /lyco/scripts/package/check-deb.sh "/lyco/$package" --inside
fi

# Of what the package brings itself; libraries that come with it are apt's to remove.
files() { find / -xdev \( -path /proc -o -path /dev -o -path /lyco -o -path /tmp -o -path /var/lib/apt -o -path /var/cache \
  -o -path /var/log \) -prune -o -print | sort; }
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# The libraries first, so that what the package itself leaves is seen.
apt-get install -y -qq --no-install-recommends "$package" >/dev/null
apt-get purge -y -qq lyco >/dev/null
files >/tmp/before

apt-get install -y -qq --no-install-recommends "$package" >/dev/null
lyco-extract --version
scripts/main-job.sh "" /tmp/pictures >/tmp/job 2>&1 || {
  tail -20 /tmp/job >&2
  exit 1
}
[[ -s /tmp/pictures/bags.png ]]

echo "check-deb.sh: a later version over it"
mkdir /tmp/later
dpkg-deb --raw-extract "$package" /tmp/later/root
sed -i 's/^Version: .*/&+later/' /tmp/later/root/DEBIAN/control
dpkg-deb --root-owner-group --build /tmp/later/root /tmp/later/lyco.deb >/dev/null
apt-get install -y -qq /tmp/later/lyco.deb >/dev/null
[[ "$(dpkg-query -W -f '${Version}' lyco)" == *+later ]]
lyco-merge --version >/dev/null
apt-get install -y -qq --allow-downgrades "$package" >/dev/null
[[ "$(dpkg-query -W -f '${Version}' lyco)" != *+later ]]
lyco-merge --version >/dev/null

apt-get remove -y -qq lyco >/dev/null
! command -v lyco-extract >/dev/null
dpkg --purge lyco 2>/dev/null
files >/tmp/after
diff <(grep -v '^/var/lib/dpkg' /tmp/before) <(grep -v '^/var/lib/dpkg' /tmp/after) || {
  echo "check-deb.sh: expected the same files before and after, found those above" >&2
  exit 1
}
! grep '/lyco' /tmp/after
echo "check-deb.sh: installed, used, replaced, removed and purged in $(. /etc/os-release && echo "$PRETTY_NAME")"
