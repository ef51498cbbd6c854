// Numbers of bf16 in vectors of 512 bits.
#ifndef LYCO_SKETCH_BF16_H
#define LYCO_SKETCH_BF16_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

enum { WIDTH = 16, PAIR = 32 };

#define WITH_BF16 __attribute__((target("arch=x86-64-v4,avx512bf16")))
#define STEPPED static inline __attribute__((always_inline, unused)) WITH_BF16

// Places of numbers first, first + 1, … of one vector and of another in turn.
STEPPED __m512i alternating(short first) {
  short places[PAIR] __attribute__((aligned(64)));
  for (short j = 0; j < WIDTH; j++) {
    places[2 * j] = first + j;
    places[2 * j + 1] = PAIR + first + j;
  }
  return _mm512_load_si512(places);
}

// 16 numbers of x and then 16 of y.
STEPPED __m512i as_bf16(__m512 x, __m512 y) { return (__m512i)_mm512_cvtne2ps_pbh(y, x); }

// Column i of 16 rows of 16 becomes row i.
STEPPED void turn(__m512i x[WIDTH]) {
  __m512i y[WIDTH];
  for (int i = 0; i < WIDTH; i += 2) {
    y[i] = _mm512_unpacklo_epi32(x[i], x[i + 1]);
    y[i + 1] = _mm512_unpackhi_epi32(x[i], x[i + 1]);
  }
  for (int i = 0; i < WIDTH; i += 4)
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

// Products [16, columns] of a pair of panels as pairs of columns j and j + 1, vector by vector: [16, 16, 2].
STEPPED void narrow_products(const float *products, size_t columns, uint16_t *target) {
  __m512i part[WIDTH];
  for (size_t i = 0; i < WIDTH; i++)
    part[i] = as_bf16(_mm512_loadu_ps(products + i * columns), _mm512_loadu_ps(products + i * columns + WIDTH));
  turn(part);
  for (size_t i = 0; i < WIDTH; i++) _mm512_storeu_si512(target + i * PAIR, part[i]);
}

#endif
