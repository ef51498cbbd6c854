#include "CKernels.h"
#include "clones.h"

enum { WIDTH = LYCO_PANEL_WIDTH, PAIR = 2 * LYCO_PANEL_WIDTH };

// Of two bf16 equally near to a number the larger is taken: no bias for numbers of both signs, and what was taken can
// be told from the lower half and the sign.
#define UPPER(bits) (((bits) + 0x8000 - ((bits) >> 31)) >> 16)

INLINE void split(const uint32_t *restrict bits, size_t stride, uint16_t *restrict upper, uint16_t *restrict lower) {
  for (size_t i = 0; i < PAIR; i++) {
    const uint32_t x = bits[i * stride];
    upper[i] = (uint16_t)UPPER(x);
    lower[i] = (uint16_t)x;
  }
}

CLONED void lyco_split_columns(const float *restrict source, size_t pairs, uint16_t *restrict upper,
                               uint16_t *restrict lower, size_t depth) {
  for (size_t p = 0; p < pairs; p++)
    split((const uint32_t *)source + p * PAIR, 1, upper + p * depth * PAIR, lower + p * depth * PAIR);
}

CLONED void lyco_split_rows(const float *restrict source, size_t stride, size_t count, uint16_t *restrict upper,
                            uint16_t *restrict lower) {
  for (size_t k = 0; k < count; k++)
    split((const uint32_t *)source + k, stride, upper + k * PAIR, lower + k * PAIR);
}

CLONED void lyco_join(const uint16_t *restrict upper, const uint16_t *restrict lower, size_t count,
                      float *restrict target) {
  uint32_t *restrict bits = (uint32_t *)target;
  for (size_t i = 0; i < count; i++) {
    const uint32_t high = upper[i], low = lower[i];
    bits[i] = (high << 16) + low - ((low + 0x8000 - (high >> 15)) & 0x10000);
  }
}

// A row of a panel in its kinds. Elements are only known to be aligned as such.
typedef float row __attribute__((vector_size(WIDTH * sizeof(float)), aligned(4)));
typedef uint32_t bits_row __attribute__((vector_size(WIDTH * sizeof(uint32_t)), aligned(4)));
typedef uint16_t half_row __attribute__((vector_size(WIDTH * sizeof(uint16_t)), aligned(2)));

CLONED void lyco_fold_half(const uint16_t *restrict upper, size_t depth, const float *restrict signs,
                           float *restrict sums) {
  const row factor = *(const row *)signs;
  for (size_t k = 0; k < depth; k++) {
    const bits_row bits = __builtin_convertvector(*(const half_row *)(upper + k * PAIR), bits_row) << 16;
    *(row *)(sums + k * WIDTH) += (row)bits * factor;
  }
}

// Sums of 512 numbers are of single precision.
CLONED double lyco_split_bias(const float *restrict x, size_t count) {
  double sum = 0;
  size_t i = 0;
  while (i + WIDTH <= count) {
    row part = {0};
    for (size_t end = MIN(i + 512, count); i + WIDTH <= end; i += WIDTH) {
      const row number = *(const row *)(x + i);
      part += number * ((row)(UPPER((bits_row)number) << 16) - number);
    }
    for (int j = 0; j < WIDTH; j++) sum += part[j];
  }
  for (; i < count; i++) {
    uint32_t bits;
    float nearest;
    __builtin_memcpy(&bits, x + i, sizeof bits);
    bits = UPPER(bits) << 16;
    __builtin_memcpy(&nearest, &bits, sizeof nearest);
    sum += x[i] * (nearest - x[i]);
  }
  return sum;
}
