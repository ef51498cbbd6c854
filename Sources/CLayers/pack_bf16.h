// Packs f32 as pairs of bf16, as both kernels of that format read them. The file that includes this says before by
// `units_of` how many units a row or panel gets along the depth; those behind the last number are zero.
#ifndef LYCO_PACK_BF16_H
#define LYCO_PACK_BF16_H

#include <string.h>

#include "../CPlatform/turn.h"
#include "panels.h"

#define PACKING WITH_BF16_INLINE

PACKING __mmask16 lanes(size_t left) {
  return left >= 16 ? 0xFFFF : (__mmask16)((1u << left) - 1);
}

// 16 numbers, or as many as are left, as bf16.
PACKING __m256i halves(const float *x, size_t left) {
  return (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(lanes(left), x));
}

// Pairs of a number of x and one of y.
PACKING __m512i paired(const float *x, const float *y, size_t left) {
  const __m512i low = _mm512_cvtepu16_epi32(halves(x, left));
  return y ? _mm512_or_si512(low, _mm512_slli_epi32(_mm512_cvtepu16_epi32(halves(y, left)), 16)) : low;
}

WITH_BF16 static void pack_rows(const float *x, size_t stride, size_t rows, size_t width,
                                unit *target) {
  const size_t units = units_of(width);
  for (size_t i = 0; i < rows; i++, target += units) {
    const float *row = x + i * stride;
    size_t k = 0;
    for (; k + 32 <= width; k += 32)
      _mm512_storeu_si512(target + k / 2, (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(row + k + 16),
                                                                      _mm512_loadu_ps(row + k)));
    for (; k < width; k += 16)
      _mm256_mask_storeu_epi32(target + k / 2, (__mmask8)lanes((width - k + 1) / 2), halves(row + k, width - k));
    for (k = (width + 1) / 2; k < units; k++) target[k] = 0;
  }
}

WITH_BF16 static void pack_depth(const float *x, size_t stride, size_t depth, size_t width,
                                 unit *target) {
  const size_t units = units_of(depth);
  for (size_t first = 0; first < width; first += 16) {
    for (size_t k = 0; k < depth; k += 2, target += 16) {
      const float *row = x + k * stride + first;
      _mm512_storeu_si512(target, paired(row, k + 1 < depth ? row + stride : NULL, width - first));
    }
    for (size_t k = (depth + 1) / 2; k < units; k++, target += 16)
      _mm512_storeu_si512(target, _mm512_setzero_si512());
  }
}

WITH_BF16 static void pack_transposed(const float *x, size_t stride, size_t columns, size_t depth,
                                      unit *target) {
  const size_t units = units_of(depth);
  for (size_t first = 0; first < columns; first += 16, target += units * 16) {
    const size_t count = columns - first < 16 ? columns - first : 16, pairs = (depth + 1) / 2;
    if (count < 16) memset(target, 0, pairs * 16 * sizeof(unit));
    for (size_t i = 0; i < count; i++) {
      const float *row = x + (first + i) * stride;
      for (size_t k = 0; k < depth; k += 16) {
        unit part[8];
        _mm256_storeu_si256((__m256i *)part, halves(row + k, depth - k));
        for (size_t j = 0; j < 8 && k / 2 + j < pairs; j++) target[(k / 2 + j) * 16 + i] = part[j];
      }
    }
    memset(target + pairs * 16, 0, (units - pairs) * 16 * sizeof(unit));
  }
}

#endif
