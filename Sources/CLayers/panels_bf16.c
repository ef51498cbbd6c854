#include "panels.h"

#if defined(__x86_64__) && defined(__linux__)

#include <immintrin.h>

#include "vectors.h"

#define WITH_BF16 __attribute__((target("arch=x86-64-v4,avx512bf16")))

#define ADD_PRODUCT(sum, a, b)                                                     \
  (sum) = (vector)_mm512_dpbf16_ps((__m512)(sum), (__m512bh)_mm512_set1_epi32((int)(a)), \
                                   (__m512bh)(b))
#undef INLINE
#define INLINE static inline __attribute__((always_inline, unused)) WITH_BF16
#include "panel_tiles.h"

WITH_BF16 static void multiply(const unit *a, size_t row_stride, size_t unit_stride, const unit *b,
                               size_t panel, size_t depth, float *c, size_t c_stride, size_t rows,
                               size_t columns, int accumulates) {
  multiply_panels(a, row_stride, unit_stride, b, panel, depth, c, c_stride, rows, columns,
                  accumulates, 16, 12, 8);
}

// 16 numbers, or as many as are left, as bf16 in the low halves of 32 bits.
INLINE __m512i narrowed(const float *x, size_t left) {
  const __mmask16 mask = left >= 16 ? 0xFFFF : (__mmask16)((1u << left) - 1);
  return _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, x)));
}

// Pairs of a number of x and one of y.
INLINE __m512i paired(const float *x, const float *y, size_t left) {
  const __m512i low = narrowed(x, left);
  return y ? _mm512_or_si512(low, _mm512_slli_epi32(narrowed(y, left), 16)) : low;
}

WITH_BF16 static void pack_rows(const float *x, size_t stride, size_t rows, size_t width,
                                unit *target) {
  const size_t pairs = (width + 1) / 2;
  for (size_t i = 0; i < rows; i++) {
    size_t k = 0;
    for (; k + 32 <= width; k += 32) {
      const float *part = x + i * stride + k;
      _mm512_storeu_si512(target + i * pairs + k / 2,
                          (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(part + 16),
                                                       _mm512_loadu_ps(part)));
    }
    for (; k < width; k += 16) {
      const size_t left = width - k;
      const __mmask16 mask = left >= 16 ? 0xFFFF : (__mmask16)((1u << left) - 1);
      const __m256i values =
          (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, x + i * stride + k));
      const size_t count = (left + 1) / 2;
      const __mmask8 kept = count >= 8 ? 0xFF : (__mmask8)((1u << count) - 1);
      _mm256_mask_storeu_epi32(target + i * pairs + k / 2, kept, values);
    }
  }
}

WITH_BF16 static void pack_columns(const float *x, size_t stride, size_t rows, size_t width,
                                   unit *target) {
  for (size_t i = 0; i < rows; i += 2)
    for (size_t k = 0; k < width; k += 16) {
      const size_t left = width - k;
      const float *first = x + i * stride + k;
      const __mmask16 mask = left >= 16 ? 0xFFFF : (__mmask16)((1u << left) - 1);
      _mm512_mask_storeu_epi32(target + i / 2 * width + k, mask,
                               paired(first, i + 1 < rows ? first + stride : NULL, left));
    }
}

WITH_BF16 static void pack_depth(const float *x, size_t stride, size_t depth, size_t width,
                                 unit *target) {
  for (size_t first = 0; first < width; first += 16)
    for (size_t k = 0; k < depth; k += 2, target += 16) {
      const float *row = x + k * stride + first;
      _mm512_storeu_si512(target,
                          paired(row, k + 1 < depth ? row + stride : NULL, width - first));
    }
}

WITH_BF16 static void pack_transposed(const float *x, size_t stride, size_t columns, size_t depth,
                                      unit *target) {
  const size_t pairs = (depth + 1) / 2;
  for (size_t first = 0; first < columns; first += 16, target += pairs * 16) {
    const size_t count = columns - first < 16 ? columns - first : 16;
    if (count < 16) memset(target, 0, pairs * 16 * sizeof(unit));
    for (size_t i = 0; i < count; i++) {
      const float *row = x + (first + i) * stride;
      for (size_t k = 0; k < depth; k += 16) {
        unit part[8];
        const size_t left = depth - k;
        const __mmask16 mask = left >= 16 ? 0xFFFF : (__mmask16)((1u << left) - 1);
        _mm256_storeu_si256((__m256i *)part,
                            (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, row + k)));
        for (size_t j = 0; j < 8 && k / 2 + j < pairs; j++) target[(k / 2 + j) * 16 + i] = part[j];
      }
    }
  }
}

static const panel_kernel kernel = {2,          multiply,        pack_rows, pack_columns,
                                    pack_depth, pack_transposed};

const panel_kernel *lyco_panel_kernel_bf16(void) {
  return __builtin_cpu_supports("x86-64-v4") && __builtin_cpu_supports("avx512bf16") ? &kernel : NULL;
}

#else

const panel_kernel *lyco_panel_kernel_bf16(void) { return NULL; }

#endif
