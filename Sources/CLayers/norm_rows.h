// What norms of rows share: how many rows a task takes, and the sums of what tasks give to the gradient of a weight.
#ifndef LYCO_NORM_ROWS_H
#define LYCO_NORM_ROWS_H

#include "chunks.h"

#define ROWS ((size_t)32)

// Where the rows of a task end, which begin at index · ROWS.
INLINE size_t last_row(size_t rows, size_t index) {
  const size_t end = (index + 1) * ROWS;
  return end < rows ? end : rows;
}

static inline size_t chunks(size_t rows) { return (rows + ROWS - 1) / ROWS; }

// Adds up runs of `width` numbers, `stride` apart, in their order and in double precision.
static inline void add_chunks(const float *sums, size_t count, size_t stride, size_t width,
                              float *target) {
  for (size_t i = 0; i < width; i++) {
    double sum = 0;
    for (size_t chunk = 0; chunk < count; chunk++) sum += sums[chunk * stride + i];
    target[i] = (float)sum;
  }
}

#endif
