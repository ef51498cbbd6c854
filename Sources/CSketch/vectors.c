#include "products.h"

#if defined(__x86_64__) && defined(__linux__)

#include "bf16.h"

// A register of the other factor serves 16 sums, which lie in registers too: lanes are vectors.
WITH_BF16_INLINE void add(__m512 sums[WIDTH], const int32_t *factors, size_t stride, __m512i other, const int count) {
#pragma clang loop unroll(full)
  for (int i = 0; i < count; i++)
    sums[i] = _mm512_dpbf16_ps(sums[i], (__m512bh)other, (__m512bh)_mm512_set1_epi32(factors[(size_t)i * stride]));
}

WITH_BF16_INLINE void add_rows(const int32_t *rows, size_t pairs, size_t stride, const uint16_t *narrowed, float *sums,
                      const int count) {
  __m512 held[WIDTH];
#pragma clang loop unroll(full)
  for (int i = 0; i < count; i++) held[i] = _mm512_loadu_ps(sums + i * WIDTH);
  for (size_t p = 0; p < pairs; p++)
    for (size_t j = 0; j < WIDTH; j++)
      add(held, rows + p * stride + j, WIDTH, _mm512_loadu_si512(narrowed + (p * WIDTH + j) * PAIR), count);
#pragma clang loop unroll(full)
  for (int i = 0; i < count; i++) _mm512_storeu_ps(sums + i * WIDTH, held[i]);
}

WITH_BF16 void lyco_multiply_by_vectors(const uint16_t *panels, const uint16_t *turned, size_t pairs, size_t depth,
                                        size_t padded, const uint16_t *vectors, float *products, uint16_t *narrowed,
                                        float *sums) {
  const size_t columns = pairs * PAIR;
  for (size_t p = 0; p < 2 * pairs; p++) {
    const int32_t *panel = (const int32_t *)turned + p * padded / 2 * WIDTH;
    __m512 held[WIDTH];
    for (int i = 0; i < WIDTH; i++) held[i] = _mm512_setzero_ps();
    for (size_t k = 0; k < padded / 2; k++)
      add(held, panel + k * WIDTH, 1, _mm512_loadu_si512(vectors + k * PAIR), WIDTH);
    __m512i rows[WIDTH];
    for (int i = 0; i < WIDTH; i++) rows[i] = (__m512i)held[i];
    turn(rows);
    for (int i = 0; i < WIDTH; i++) _mm512_storeu_si512(products + (size_t)i * columns + p * WIDTH, rows[i]);
  }
  for (size_t p = 0; p < pairs; p++) narrow_products(products + p * PAIR, columns, narrowed + p * WIDTH * PAIR);
  const int32_t *rows = (const int32_t *)panels;
  size_t i = 0;
  for (; i + WIDTH <= depth; i += WIDTH)
    add_rows(rows + i * WIDTH, pairs, depth * WIDTH, narrowed, sums + i * WIDTH, WIDTH);
  for (; i < depth; i++) add_rows(rows + i * WIDTH, pairs, depth * WIDTH, narrowed, sums + i * WIDTH, 1);
}

#endif
