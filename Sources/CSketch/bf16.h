// Numbers of bf16 in vectors of 512 bits.
#ifndef LYCO_SKETCH_BF16_H
#define LYCO_SKETCH_BF16_H

#include <stddef.h>
#include <stdint.h>

#include "../CPlatform/turn.h"

enum { WIDTH = 16, PAIR = 32 };

// Places of numbers first, first + 1, … of one vector and of another in turn.
WITH_BF16_INLINE __m512i alternating(short first) {
  short places[PAIR] __attribute__((aligned(64)));
  for (short j = 0; j < WIDTH; j++) {
    places[2 * j] = first + j;
    places[2 * j + 1] = PAIR + first + j;
  }
  return _mm512_load_si512(places);
}

// 16 numbers of x and then 16 of y.
WITH_BF16_INLINE __m512i as_bf16(__m512 x, __m512 y) { return (__m512i)_mm512_cvtne2ps_pbh(y, x); }

// Products [16, columns] of a pair of panels as pairs of columns j and j + 1, vector by vector: [16, 16, 2].
WITH_BF16_INLINE void narrow_products(const float *products, size_t columns, uint16_t *target) {
  __m512i part[WIDTH];
  for (size_t i = 0; i < WIDTH; i++)
    part[i] = as_bf16(_mm512_loadu_ps(products + i * columns), _mm512_loadu_ps(products + i * columns + WIDTH));
  turn(part);
  for (size_t i = 0; i < WIDTH; i++) _mm512_storeu_si512(target + i * PAIR, part[i]);
}

#endif
