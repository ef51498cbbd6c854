#include "CKernels.h"
#include "clones.h"

// One row of B or C. Elements are only known to be aligned as floats.
typedef float row __attribute__((vector_size(LYCO_THIN_COLUMNS * sizeof(float)), aligned(4)));

// As many rows of C as the 16 vector registers of AVX2 hold, with room for a row of B: each element of A loaded is then
// used for a whole row, and each row of B for six. The 32 of AVX-512 hold 16 rows. No sum depends on the tile.
//
// Of a transpose, whose rows lie across those in memory, STRIP lines are gone along together, each from its start to its
// end, so that the processor fetches them ahead: lines of which a tile alone is read come late. Measured on a core with
// AVX-512, in GFLOP/s, strip by strip and tile by tile: 11520 x 1280 129 and 71, 2880 x 320 116 and 77, 320 x 320 153
// and 95.
enum { TILE = 6, WIDE_TILE = 16, STRIP = 24 };

INLINE void add_rows(const float *restrict a, size_t row_stride, size_t column_stride,
                     const float *restrict b, float *restrict c, size_t depth, const int rows) {
  row sums[WIDE_TILE];
#pragma clang loop unroll(full)
  for (int i = 0; i < rows; i++) sums[i] = *(const row *)(c + i * LYCO_THIN_COLUMNS);
  for (size_t k = 0; k < depth; k++) {
    const row factor = *(const row *)(b + k * LYCO_THIN_COLUMNS);
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) sums[i] += a[i * row_stride + k * column_stride] * factor;
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < rows; i++) *(row *)(c + i * LYCO_THIN_COLUMNS) = sums[i];
}

INLINE size_t add_tiles(const float *restrict a, size_t row_stride, const float *restrict b, float *restrict c,
                        size_t count, size_t depth, const int tile) {
  size_t i = 0;
  for (; i + (size_t)tile <= count; i += (size_t)tile)
    add_rows(a + i * row_stride, row_stride, 1, b, c + i * LYCO_THIN_COLUMNS, depth, tile);
  return i;
}

CLONED static void add_by_six(const float *restrict a, size_t row_stride, size_t column_stride, const float *restrict b,
                              float *restrict c, size_t count, size_t depth) {
  size_t i = 0;
  // One of the strides is 1; known to the compiler it becomes an address offset.
  if (row_stride == 1)
    for (; i + TILE <= count; i += TILE)
      add_rows(a + i, 1, column_stride, b, c + i * LYCO_THIN_COLUMNS, depth, TILE);
  else if (column_stride == 1)
    i = add_tiles(a, row_stride, b, c, count, depth, TILE);
  for (; i < count; i++)
    add_rows(a + i * row_stride, row_stride, column_stride, b, c + i * LYCO_THIN_COLUMNS, depth, 1);
}

#if defined(__x86_64__) && defined(__linux__)
CLONED static size_t add_by_sixteen(const float *restrict a, size_t row_stride, const float *restrict b,
                                    float *restrict c, size_t count, size_t depth) {
  return add_tiles(a, row_stride, b, c, count, depth, WIDE_TILE);
}

CLONED static size_t add_transposed_by_sixteen(const float *restrict a, size_t column_stride, const float *restrict b,
                                               float *restrict c, size_t count, size_t depth) {
  const size_t end = count / WIDE_TILE * WIDE_TILE;
  for (size_t k = 0; k < depth; k += STRIP)
    for (size_t i = 0; i < end; i += WIDE_TILE)
      add_rows(a + i + k * column_stride, 1, column_stride, b + k * LYCO_THIN_COLUMNS, c + i * LYCO_THIN_COLUMNS,
               MIN((size_t)STRIP, depth - k), WIDE_TILE);
  return end;
}
#endif

void lyco_add_thin_product(const float *restrict a, size_t row_stride, size_t column_stride, const float *restrict b,
                           float *restrict c, size_t count, size_t depth) {
  size_t i = 0;
#if defined(__x86_64__) && defined(__linux__)
  if (__builtin_cpu_supports("avx512f")) {
    if (column_stride == 1) i = add_by_sixteen(a, row_stride, b, c, count, depth);
    else if (row_stride == 1) i = add_transposed_by_sixteen(a, column_stride, b, c, count, depth);
  }
#endif
  add_by_six(a + i * row_stride, row_stride, column_stride, b, c + i * LYCO_THIN_COLUMNS, count - i, depth);
}
