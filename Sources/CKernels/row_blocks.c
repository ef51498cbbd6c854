#include "CKernels.h"

#include <string.h>

#include "clones.h"

#define WIDTH 16

// Numbers of a row that lie side by side. Elements are only known to be aligned as floats.
typedef float row __attribute__((vector_size(WIDTH * sizeof(float)), aligned(4)));

// Numbers of a row from `column` on, zeros behind its end.
INLINE void read(row *restrict target, const float *restrict from, size_t column, size_t columns) {
  if (column + WIDTH <= columns) {
    *target = *(const row *)(from + column);
  } else {
    *target = (row){0};
    memcpy(target, from + column, (columns - column) * sizeof(float));
  }
}

// Tiles of at most `limit` of `count` rows are of one height, the least with which as few will do. The last one begins
// within the one before it where they do not divide, so that some of its results are made twice.
INLINE size_t height(size_t count, size_t limit) {
  size_t tiles = (count + limit - 1) / limit;
  return (count + tiles - 1) / tiles;
}

INLINE void multiply_tile(const float *restrict x, const float *restrict y, const size_t *restrict x_rows,
                          const size_t *restrict y_rows, size_t count, size_t columns, float *restrict products,
                          const int tile) {
  row sums[25];
#pragma clang loop unroll(full)
  for (int i = 0; i < tile * tile; i++) sums[i] = (row){0};
  for (size_t column = 0; column < columns; column += WIDTH) {
    row factors[5];
#pragma clang loop unroll(full)
    for (int j = 0; j < tile; j++) read(&factors[j], x + x_rows[j], column, columns);
#pragma clang loop unroll(full)
    for (int i = 0; i < tile; i++) {
      row factor;
      read(&factor, y + y_rows[i], column, columns);
#pragma clang loop unroll(full)
      for (int j = 0; j < tile; j++) sums[i * tile + j] += factor * factors[j];
    }
  }
  for (int i = 0; i < tile; i++) {
    for (int j = 0; j < tile; j++) {
      float sum = 0;
      for (int k = 0; k < WIDTH; k++) sum += sums[i * tile + j][k];
      products[(size_t)i * count + (size_t)j] = sum;
    }
  }
}

INLINE void multiply_rows(const float *restrict x, const float *restrict y, const size_t *restrict rows, size_t count,
                          size_t columns, float *restrict products, const size_t limit) {
  const size_t tile = height(count, limit);
  for (size_t i = 0; i < count; i += tile) {
    const size_t top = MIN(i, count - tile);
    for (size_t j = 0; j < count; j += tile) {
      const size_t left = MIN(j, count - tile);
      float *restrict target = products + top * count + left;
      switch (tile) {
#define CASE(n) \
  case n: multiply_tile(x, y, rows + left, rows + top, count, columns, target, n); break;
        CASE(1) CASE(2) CASE(3) CASE(4) CASE(5)
#undef CASE
      }
    }
  }
}

INLINE void turn_tile(const float *restrict numbers, const float *restrict rotation, size_t count,
                      row *restrict target, const int tile) {
  row sums[8];
#pragma clang loop unroll(full)
  for (int i = 0; i < tile; i++) sums[i] = (row){0};
  for (size_t k = 0; k < count; k++) {
    const row factor = *(const row *)(numbers + k * WIDTH);
#pragma clang loop unroll(full)
    for (int i = 0; i < tile; i++) sums[i] += rotation[(size_t)i * count + k] * factor;
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < tile; i++) target[i] = sums[i];
}

INLINE void turn_rows(float *restrict x, const size_t *restrict rows, size_t count, size_t columns,
                      const float *restrict rotation, float *restrict scratch, const size_t limit) {
  const size_t tile = height(count, limit);
  for (size_t column = 0; column < columns; column += WIDTH) {
    for (size_t k = 0; k < count; k++) {
      row factor;
      read(&factor, x + rows[k], column, columns);
      *(row *)(scratch + k * WIDTH) = factor;
    }
    const size_t width = MIN(WIDTH, columns - column);
    for (size_t i = 0; i < count; i += tile) {
      const size_t top = MIN(i, count - tile);
      row results[8];
      switch (tile) {
#define CASE(n) \
  case n: turn_tile(scratch, rotation + top * count, count, results, n); break;
        CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8)
#undef CASE
      }
      for (size_t k = 0; k < tile; k++) {
        float *restrict target = x + rows[top + k] + column;
        if (width == WIDTH)
          *(row *)target = results[k];
        else
          memcpy(target, &results[k], width * sizeof(float));
      }
    }
  }
}

// As many sums as there are vector registers for, 32 of AVX-512 or 16 of half the width. No sum depends on the tile.
#if defined(__x86_64__) && defined(__linux__)
CLONED static void multiply_by_five(const float *x, const float *y, const size_t *rows, size_t count, size_t columns,
                                    float *products) {
  multiply_rows(x, y, rows, count, columns, products, 5);
}

CLONED static void turn_by_eight(float *x, const size_t *rows, size_t count, size_t columns, const float *rotation,
                                 float *scratch) {
  turn_rows(x, rows, count, columns, rotation, scratch, 8);
}
#endif

CLONED static void multiply_by_two(const float *x, const float *y, const size_t *rows, size_t count, size_t columns,
                                   float *products) {
  multiply_rows(x, y, rows, count, columns, products, 2);
}

CLONED static void turn_by_five(float *x, const size_t *rows, size_t count, size_t columns, const float *rotation,
                                float *scratch) {
  turn_rows(x, rows, count, columns, rotation, scratch, 5);
}

void lyco_multiply_rows(const float *restrict x, const float *restrict y, const size_t *restrict rows, size_t count,
                        size_t columns, float *restrict products) {
#if defined(__x86_64__) && defined(__linux__)
  if (__builtin_cpu_supports("avx512f")) {
    multiply_by_five(x, y, rows, count, columns, products);
    return;
  }
#endif
  multiply_by_two(x, y, rows, count, columns, products);
}

void lyco_turn_rows(float *restrict x, const size_t *restrict rows, size_t count, size_t columns,
                    const float *restrict rotation, float *restrict scratch) {
#if defined(__x86_64__) && defined(__linux__)
  if (__builtin_cpu_supports("avx512f")) {
    turn_by_eight(x, rows, count, columns, rotation, scratch);
    return;
  }
#endif
  turn_by_five(x, rows, count, columns, rotation, scratch);
}
