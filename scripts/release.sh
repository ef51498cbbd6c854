#!/usr/bin/env bash
# Builds, tests and checks what a release consists of, in dist: the wheel, the Debian package, and their checksums.
# From a clean tree, whose commit `--version` will name. Needs root, for the small Debian in which packages are tried.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
fail() {
  echo "release.sh: $*" >&2
  exit 1
}
changes="$(git status --porcelain)"
[[ -z "$changes" ]] || fail "expected a clean tree, found changes:" $'\n'"$changes"
release="$(scripts/package/version.sh)"
grep -q "^## \[${release//./\\.}\] - [0-9-]*$" CHANGELOG.md ||
  fail "CHANGELOG.md: expected a section '## [$release] - DATE', found none"
sed -n "/^## \[${release//./\\.}\]/,/^## /p" CHANGELOG.md | grep -q '^- ' ||
  fail "CHANGELOG.md: expected entries of $release, found none"
tag="$(git tag --list "v$release" --format '%(objectname:short)')"
[[ -z "$tag" || "$(git rev-list -n 1 "v$release")" == "$(git rev-parse HEAD)" ]] ||
  fail "v$release: expected a release that is not out yet, found its tag at $tag; raise it in Suite.swift"
((EUID == 0)) || fail "expected root, for debootstrap"
scripts/apt.sh python3-venv dpkg-dev lintian mandoc unzip gnupg curl debootstrap qemu-user
swift="$(scripts/bootstrap.sh)"
export PATH="${swift:+$swift:}$PATH"

echo "== tests"
scripts/test.sh
rm -rf dist
for kind in wheel deb; do
  echo "== $kind"
  SECONDS=0
  scripts/package.sh "$kind"
  echo "built in $SECONDS s"
done
scripts/package/check-types.sh dist/lyco-*.whl
scripts/package/check-wheel.sh dist/lyco-*.whl
scripts/package/check-wheel.sh dist/lyco-*.whl --chroot
scripts/package/check-deb.sh dist/lyco_*.deb
scripts/checks/check-install.sh .build
scripts/checks/check-bootstrap.py
scripts/checks/check-arm64.sh
[[ -z "$(git status --porcelain)" ]] || fail "expected the tree as it was, found $(git status --porcelain)"
(cd dist && sha256sum lyco* >SHA256SUMS && du -h lyco* && cat SHA256SUMS)
echo "release.sh: lyco $release of $(scripts/package/commit.sh) is in dist; tag it: git tag v$release"
