#!/usr/bin/env bash
# Makes a small Debian 12 without Swift and -dev packages in a folder, once, and runs a command in a copy of it, which
# vanishes afterwards. The repository is /lyco there, for reading. Needs root and debootstrap.
#
# usage: in-chroot.sh PACKAGE,… COMMAND…   PACKAGE: what the Debian has beside the smallest, such as python3
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
packages="$1"
shift
template=".build/package/debian-${packages//,/-}"
mirror="$(sed -n 's/^URIs: *//p; s/^deb \(\[[^]]*\] \)\?\([^ ]*\) bookworm .*/\2/p' \
  /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources 2>/dev/null | grep -m 1 /debian || true)"
if [[ ! -e "$template/made" ]]; then
  rm -rf "$template"
  echo "making a Debian 12 with $packages" >&2
  debootstrap --variant=minbase --include="$packages" bookworm "$template" \
    "${mirror:-http://deb.debian.org/debian}" >"$template.log" 2>&1 || {
    tail -5 "$template.log" >&2
    exit 1
  }
  touch "$template/made"
fi
root="$(mktemp -d "$PWD/.build/package/root.XXXXXX")"
# In mounts of its own, which end with it.
trap 'rm -rf --one-file-system "$root"' EXIT
cp -a --reflink=auto "$template/." "$root"
cp /etc/resolv.conf "$root/etc/resolv.conf"
[[ ! -e /etc/apt/apt.conf.d ]] || find /etc/apt/apt.conf.d -iname '*proxy*' -exec cp {} "$root/etc/apt/apt.conf.d" \;
mkdir -p "$root/lyco"
unshare --mount bash -c '
  root=$1; shift
  mount --bind "$PWD" "$root/lyco"
  mount -o remount,bind,ro "$root/lyco"
  mount -t proc proc "$root/proc"
  mount --rbind /dev "$root/dev"
  exec chroot "$root" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
    LANG=C.UTF-8 "$@"
' bash "$root" "$@"
