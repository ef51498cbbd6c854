#!/usr/bin/env bash
# Builds the package for Debian and Ubuntu; what it depends on is what the machine it is built on has.
#
# usage: build-deb.sh TOOLS RELEASE DIST   DEBFULLNAME and DEBEMAIL name the maintainer, else the last commit does
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
tools="$1" release="$2" dist="$3"
architecture="$(dpkg --print-architecture)"
maintainer="${DEBFULLNAME:-$(git log -1 --format=%an)} <${DEBEMAIL:-$(git log -1 --format=%ae)}>"
export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}"
work="$(mktemp -d "$PWD/.build/package/deb.XXXXXX")"
trap 'rm -rf "$work"' EXIT
umask 022

root="$work/root" doc="$work/root/usr/share/doc/lyco"
scripts/package/stage-files.sh "$tools" "$root/usr" share/zsh/vendor-completions
install -d "$root/DEBIAN"
install -m 644 scripts/package/copyright "$doc/copyright"
gzip -9nc "$doc/CHANGELOG.md" >"$doc/changelog.gz"
gzip -9nc >"$doc/changelog.Debian.gz" <<END
lyco ($release-1) unstable; urgency=medium

  * Release $release; what is new stands in changelog.gz.

 -- $maintainer  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
END
chmod 644 "$doc"/*.gz

# What it loads, in versions that have its symbols.
mkdir -p "$work/debian"
cp "$tools/libraries.so" "$work"
printf 'Source: lyco\n\nPackage: lyco\nArchitecture: any\n' >"$work/debian/control"
depends="$(cd "$work" && dpkg-shlibdeps -O --warnings=0 root/usr/libexec/lyco/lyco libraries.so 2>/dev/null |
  sed -n 's/^shlibs:Depends=//p')"
[[ -n "$depends" ]] || {
  echo "build-deb.sh: expected dependencies of the tools, found none by dpkg-shlibdeps" >&2
  exit 1
}
cat >"$root/DEBIAN/control" <<END
Package: lyco
Version: $release-1
Architecture: $architecture
Maintainer: $maintainer
Installed-Size: $(du -sk --apparent-size "$root" | cut -f 1)
Depends: $depends
Suggests: openmpi-bin
Section: graphics
Priority: optional
Description: tools for LoRA and LyCORIS adapters of diffusion models
 lyco-extract makes an adapter of the difference of two checkpoints, lyco-merge
 bakes adapters into one, lyco-convert writes them in other formats, algorithms
 and ranks, lyco-inspect says what is in a file and whether it is sound.
 lyco-train trains adapters and lyco-sample draws with them, on the processor
 alone. Files are those of kohya's scripts, LyCORIS, ComfyUI, PEFT and
 diffusers.
END
(cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
chmod 644 "$root"/DEBIAN/*
find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
mkdir -p "$dist"
# Whole or not at all.
dpkg-deb --root-owner-group -Zxz --build "$root" "$dist/.lyco.deb.new" >/dev/null
rm -f "$dist"/lyco_*_"$architecture".deb
mv "$dist/.lyco.deb.new" "$dist/lyco_$release-1_$architecture.deb"
echo "$dist/lyco_$release-1_$architecture.deb"
