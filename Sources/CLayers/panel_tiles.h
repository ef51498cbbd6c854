// Tiles of a product in panels: how many rows and panels of C the registers of a processor hold.
// `ADD_PRODUCT(sum, a, b)` is sum + a·b for a unit a and a vector of units b.

#include "vectors.h"

INLINE void multiply_tile(const unit *restrict a, size_t row_stride, size_t unit_stride,
                          const unit *restrict b, size_t panel, size_t depth, float *restrict c,
                          size_t c_stride, int accumulates, const int rows, const int panels) {
  vector sums[24];
#pragma clang loop unroll(full)
  for (int i = 0; i < rows * panels; i++) sums[i] = (vector){0};
  for (size_t k = 0; k < depth; k++) {
    vector factors[3];
#pragma clang loop unroll(full)
    for (int j = 0; j < panels; j++)
      factors[j] = *(const vector *)(b + (size_t)j * panel + k * LANES);
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) {
      const unit value = a[(size_t)i * row_stride + k * unit_stride];
#pragma clang loop unroll(full)
      for (int j = 0; j < panels; j++) ADD_PRODUCT(sums[i * panels + j], value, factors[j]);
    }
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < rows; i++)
#pragma clang loop unroll(full)
    for (int j = 0; j < panels; j++) {
      vector *target = (vector *)(c + (size_t)i * c_stride + (size_t)j * LANES);
      // Last, not first: what is there may be large beside each product, and all their roundings alike.
      *target = accumulates ? *target + sums[i * panels + j] : sums[i * panels + j];
    }
}

// All rows of a strip of panels: tiles of `tall` rows, then of 4, then of 1.
INLINE void multiply_strip(const unit *a, size_t row_stride, size_t unit_stride, const unit *b,
                           size_t panel, size_t depth, float *c, size_t c_stride, size_t rows,
                           int accumulates, const int tall, const int panels) {
  size_t i = 0;
  for (; i + (size_t)tall <= rows; i += (size_t)tall)
    multiply_tile(a + i * row_stride, row_stride, unit_stride, b, panel, depth, c + i * c_stride,
                  c_stride, accumulates, tall, panels);
  if (tall > 4)
    for (; i + 4 <= rows; i += 4)
      multiply_tile(a + i * row_stride, row_stride, unit_stride, b, panel, depth, c + i * c_stride,
                    c_stride, accumulates, 4, panels);
  for (; i < rows; i++)
    multiply_tile(a + i * row_stride, row_stride, unit_stride, b, panel, depth, c + i * c_stride,
                  c_stride, accumulates, 1, panels);
}

// Strips of two panels, and of three where their number is odd.
INLINE void multiply_panels(const unit *a, size_t row_stride, size_t unit_stride, const unit *b,
                            size_t panel, size_t depth, float *c, size_t c_stride, size_t rows,
                            size_t columns, int accumulates, const int tall1, const int tall2,
                            const int tall3) {
  size_t left = columns / LANES;
  while (left > 0) {
    size_t taken = left == 1 ? 1 : left % 2 == 0 || tall3 == 0 ? 2 : 3;
    if (taken == 1)
      multiply_strip(a, row_stride, unit_stride, b, panel, depth, c, c_stride, rows, accumulates,
                     tall1, 1);
    else if (taken == 2)
      multiply_strip(a, row_stride, unit_stride, b, panel, depth, c, c_stride, rows, accumulates,
                     tall2, 2);
    else
      multiply_strip(a, row_stride, unit_stride, b, panel, depth, c, c_stride, rows, accumulates,
                     tall3 ? tall3 : 1, 3);
    b += taken * panel;
    c += taken * LANES;
    left -= taken;
  }
}
