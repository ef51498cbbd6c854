#include "CKernels.h"

#include <string.h>

#include "clones.h"

#define WIDTH LYCO_PANEL_WIDTH

// A row of a panel, or of a factor. Elements are only known to be aligned as floats.
typedef float row __attribute__((vector_size(WIDTH * sizeof(float)), aligned(4)));

// products[j] = Σ panel[k, j] · vectors[k] for `tile` columns j of a panel.
INLINE void multiply_columns(const float *restrict panel, const float *restrict vectors, size_t depth,
                             float *restrict products, const float *restrict next, const int tile) {
  row sums[WIDTH];
#pragma clang loop unroll(full)
  for (int j = 0; j < tile; j++) sums[j] = (row){0};
  for (size_t k = 0; k < depth; k++) {
    const row factor = *(const row *)(vectors + k * WIDTH);
    __builtin_prefetch(next + k * WIDTH);
#pragma clang loop unroll(full)
    for (int j = 0; j < tile; j++) sums[j] += panel[k * WIDTH + j] * factor;
  }
#pragma clang loop unroll(full)
  for (int j = 0; j < tile; j++) *(row *)(products + j * WIDTH) = sums[j];
}

// sums[i] += Σ panel[i, j] · products[j] for `tile` rows i of all panels and their columns j.
INLINE void multiply_rows(const float *restrict panels, size_t count, size_t depth, const float *restrict products,
                          float *restrict target, const int tile) {
  row sums[WIDTH];
#pragma clang loop unroll(full)
  for (int i = 0; i < tile; i++) sums[i] = *(const row *)(target + i * WIDTH);
  for (size_t p = 0; p < count; p++) {
    const float *restrict panel = panels + p * depth * WIDTH;
    for (int j = 0; j < WIDTH; j++) {
      const row factor = *(const row *)(products + (p * WIDTH + j) * WIDTH);
#pragma clang loop unroll(full)
      for (int i = 0; i < tile; i++) sums[i] += panel[i * WIDTH + j] * factor;
    }
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < tile; i++) *(row *)(target + i * WIDTH) = sums[i];
}

INLINE void multiply(const float *restrict panels, size_t count, size_t depth, const float *restrict vectors,
                     float *restrict products, float *restrict sums, const float *restrict next, const int tile) {
  for (size_t p = 0; p < count; p++) {
    size_t start = p * depth * WIDTH;
    const float *restrict panel = panels + start;
    float *restrict rows = products + p * WIDTH * WIDTH;
    int j = 0;
    for (; j + tile <= WIDTH; j += tile)
      multiply_columns(panel + j, vectors, depth, rows + j * WIDTH, next + start, tile);
    // What a tile of 6 leaves of 16.
    if (j < WIDTH) multiply_columns(panel + j, vectors, depth, rows + j * WIDTH, next + start, WIDTH % tile);
  }
  size_t i = 0;
  for (; i + (size_t)tile <= depth; i += (size_t)tile)
    multiply_rows(panels + i * WIDTH, count, depth, products, sums + i * WIDTH, tile);
  for (; i < depth; i++) multiply_rows(panels + i * WIDTH, count, depth, products, sums + i * WIDTH, 1);
}

// As many sums as there are vector registers for: 32 of AVX-512 hold a tile of 16 rows, 16 of half the width one of 6
// rows, with room for a row of the other factor. Each number of a panel that is loaded is used for a whole row, and
// each row of the other factor for a tile. No sum depends on the tile.
#if defined(__x86_64__) && defined(__linux__)
CLONED static void multiply_by_sixteen(const float *panels, size_t count, size_t depth, const float *vectors,
                                       float *products, float *sums, const float *next) {
  multiply(panels, count, depth, vectors, products, sums, next, 16);
}
#endif

CLONED static void multiply_by_six(const float *panels, size_t count, size_t depth, const float *vectors,
                                   float *products, float *sums, const float *next) {
  multiply(panels, count, depth, vectors, products, sums, next, 6);
}

void lyco_add_panel_products(const float *restrict panels, size_t count, size_t depth, const float *restrict vectors,
                             float *restrict products, float *restrict sums, const float *restrict next) {
#if defined(__x86_64__) && defined(__linux__)
  if (__builtin_cpu_supports("avx512f")) {
    multiply_by_sixteen(panels, count, depth, vectors, products, sums, next);
    return;
  }
#endif
  multiply_by_six(panels, count, depth, vectors, products, sums, next);
}

CLONED void lyco_fold_panel(const float *restrict panel, size_t depth, const float *restrict signs,
                            float *restrict sums) {
  const row factor = *(const row *)signs;
  for (size_t k = 0; k < depth; k++) *(row *)(sums + k * WIDTH) += *(const row *)(panel + k * WIDTH) * factor;
}

CLONED void lyco_pack_columns(const float *restrict source, size_t count, float *restrict panels, size_t depth) {
  for (size_t p = 0; p < count; p++)
    *(row *)(panels + p * depth * WIDTH) = *(const row *)(source + p * WIDTH);
}

CLONED void lyco_pack_rows(const float *restrict source, size_t stride, size_t count, float *restrict panel) {
  for (size_t k = 0; k < count; k++) {
    row numbers;
#pragma clang loop unroll(full)
    for (int j = 0; j < WIDTH; j++) numbers[j] = source[(size_t)j * stride + k];
    *(row *)(panel + k * WIDTH) = numbers;
  }
}

CLONED void lyco_multiply_by(float *restrict x, const float *restrict y, size_t count) {
  for (size_t i = 0; i < count; i++) x[i] *= y[i];
}

CLONED void lyco_subtract(float *restrict x, const float *restrict y, size_t count) {
  for (size_t i = 0; i < count; i++) x[i] -= y[i];
}
