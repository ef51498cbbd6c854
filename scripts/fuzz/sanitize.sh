#!/usr/bin/env bash
# Builds the C targets that read what comes from files with the address and undefined-behaviour sanitizers, and
# runs them over the images and the patterns of the fixtures, damaged in many ways, and over all bit patterns.
#
#   scripts/fuzz/sanitize.sh [ROUNDS]     of damage for each image, a tenth for each pattern; 2000 if not given
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
rounds="${1:-2000}"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
compiler="${CC:-clang}"
# Conversions shift and cast on purpose, but within what C defines; libjpeg leaves by longjmp.
flags=(-g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all)

# gold warns of every symbol of the sanitizer.
[[ "$compiler" == *clang ]] && flags+=(-fuse-ld=lld)

"$compiler" "${flags[@]}" -I Sources/CImages/include -I Sources/CImages \
  scripts/fuzz/sanitize/images.c Sources/CImages/*.c -lpng -ljpeg -lwebp -lwebpdemux -o "$work/images"
"$work/images" "$rounds" Fixtures/training/data/images/* Fixtures/training/data/refused/* \
  Fixtures/training/data/text-bomb.png

"$compiler" "${flags[@]}" -I Sources/CKernels/include \
  scripts/fuzz/sanitize/kernels.c Sources/CKernels/*.c -lm -o "$work/kernels"
"$work/kernels"

"${CXX:-clang++}" "${flags[@]}" -std=c++17 -I Sources/CRE2/include \
  scripts/fuzz/sanitize/patterns.cpp Sources/CRE2/*.cpp -lre2 -o "$work/patterns"
"$work/patterns" "$((rounds / 10 + 1))" Fixtures/patterns/* Sources/Checkpoints/Presets/*
