#!/usr/bin/env bash
# Compiles every C target for arm64, with the libraries that Debian has for it, and holds what it computes there, under
# qemu, to what it computes here (arm64/agree.c). Needs root, debootstrap and qemu-user; the libraries are fetched once.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
work=.build/package/arm64 root="$PWD/.build/package/arm64/root"
if [[ ! -e "$root/fetched" ]]; then
  rm -rf "$work"
  mkdir -p "$work"
  debootstrap --download-only --arch=arm64 --variant=minbase \
    --include=libc6-dev,libgcc-12-dev,libstdc++-12-dev,libdnnl-dev,libopenblas-dev,liblapacke-dev,libpng-dev,libjpeg-dev,libwebp-dev,libre2-dev \
    bookworm "$work/packages" http://deb.debian.org/debian >"$work/log" 2>&1 || {
    tail -5 "$work/log" >&2
    exit 1
  }
  mkdir "$root"
  for package in "$work"/packages/var/cache/apt/archives/*.deb; do
    case "$(basename "$package")" in
      lib* | linux-libc-dev* | gcc-12-base* | zlib1g* | ocl-* | opencl-*) dpkg-deb --extract "$package" "$root" ;;
    esac
  done
  # Without usr-merge, which the system's installer would have done.
  [[ -e "$root/lib64" ]] || ln -s lib "$root/lib64"
  rm -rf "$work/packages"
  touch "$root/fetched"
fi

# build NAME COMPILER-ARGUMENT…: every C target and the program, warnings being errors.
build() {
  local name=$1 source object objects=() includes=()
  shift
  mkdir -p "$work/$name"
  for source in Sources/C*/include; do includes+=("-I$source"); done
  for source in Sources/C*/*.c Sources/C*/*.cpp scripts/checks/arm64/agree.c; do
    object="$work/$name/$(tr / - <<<"$source").o"
    case "$source" in
      *.cpp) clang++ "$@" -std=c++17 -O2 -Wall -Werror "${includes[@]}" -c "$source" -o "$object" ;;
      *) clang "$@" -std=gnu11 -O2 -Wall -Werror "${includes[@]}" -c "$source" -o "$object" ;;
    esac
    objects+=("$object")
  done
  clang++ "$@" -fuse-ld=lld "${objects[@]}" -lre2 -lpng -ljpeg -lwebp -lm -ldl -lpthread -o "$work/$name/agree"
}

clang="$(dirname "$(readlink -f "$(command -v swift)")")"
export PATH="$clang:$PATH"
build here
# The header of BLAS lies where an installation would link it from.
build arm64 --target=aarch64-linux-gnu "--sysroot=$root" "-I$root/usr/include/aarch64-linux-gnu/openblas-pthread"
file -b "$work/arm64/agree" | grep -q 'ARM aarch64'
"$work/here/agree" >"$work/here.txt"
qemu-aarch64 -L "$root" "$work/arm64/agree" >"$work/arm64.txt"
python3 - "$work/here.txt" "$work/arm64.txt" <<'END'
import math
import sys

here, there = [[line.split() for line in open(path)] for path in sys.argv[1:]]
# Sums of some thousand f32 numbers whose products are added in other orders; factors of bf16 have 8 bits.
TOLERANCES = {"near": 1e-5, "bf16": 2**-8}
wrong = [
    (a, b) for a, b in zip(here, there, strict=True)
    if a[:2] != b[:2] or (a != b if a[1] == "exact" else not all(
        math.isclose(float(x), float(y), rel_tol=TOLERANCES[a[1]]) for x, y in zip(a[2:], b[2:], strict=True)))]
for a, b in wrong:
    print(f"{a[0]}: expected {' '.join(a[1:])}, found {' '.join(b[1:])} on arm64", file=sys.stderr)
if wrong or not here:
    sys.exit(1)
print(f"check-arm64.sh: {len(here)} results agree, {sum(a[1] == 'exact' for a in here)} of them bit by bit")
END
