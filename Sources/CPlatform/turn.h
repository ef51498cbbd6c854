// Rows of 16 numbers of 32 bits, or pairs of bf16, in vectors of 512 bits. For C targets alone: Swift does not see it.
#ifndef LYCO_TURN_H
#define LYCO_TURN_H

#include <immintrin.h>

#define WITH_BF16 __attribute__((target("arch=x86-64-v4,avx512bf16")))
#define WITH_BF16_INLINE static inline __attribute__((always_inline, unused)) WITH_BF16

// Column i of 16 rows of 16 becomes row i.
WITH_BF16_INLINE void turn(__m512i x[16]) {
  __m512i y[16];
  for (int i = 0; i < 16; i += 2) {
    y[i] = _mm512_unpacklo_epi32(x[i], x[i + 1]);
    y[i + 1] = _mm512_unpackhi_epi32(x[i], x[i + 1]);
  }
  for (int i = 0; i < 16; i += 4)
    for (int j = 0; j < 2; j++) {
      x[i + 2 * j] = _mm512_unpacklo_epi64(y[i + j], y[i + j + 2]);
      x[i + 2 * j + 1] = _mm512_unpackhi_epi64(y[i + j], y[i + j + 2]);
    }
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < 2; j++) {
      y[8 * j + i] = _mm512_shuffle_i32x4(x[8 * j + i], x[8 * j + i + 4], 0x88);
      y[8 * j + i + 4] = _mm512_shuffle_i32x4(x[8 * j + i], x[8 * j + i + 4], 0xDD);
    }
  for (int i = 0; i < 8; i++) {
    x[i] = _mm512_shuffle_i32x4(y[i], y[i + 8], 0x88);
    x[i + 8] = _mm512_shuffle_i32x4(y[i], y[i + 8], 0xDD);
  }
}

#endif
