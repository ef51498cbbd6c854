#include "panels.h"

#include "vectors.h"

INLINE float as_float(unit value) {
  float result;
  memcpy(&result, &value, sizeof result);
  return result;
}

#define ADD_PRODUCT(sum, a, b) (sum) += as_float(a) * (b)
#include "panel_tiles.h"

// The 16 registers of AVX2 hold a tile of 3 by 2 panels of two registers each, the 32 of AVX-512 one of
// 12 by 2 or 8 by 3.
static CLONED void multiply(const unit *a, size_t row_stride, size_t unit_stride, const unit *b,
                            size_t panel, size_t depth, float *c, size_t c_stride, size_t rows,
                            size_t columns, int accumulates) {
  multiply_panels(a, row_stride, unit_stride, b, panel, depth, c, c_stride, rows, columns,
                  accumulates, 6, 3, 0);
}

#if defined(__x86_64__) && defined(__linux__)
WIDE static void multiply_wide(const unit *a, size_t row_stride, size_t unit_stride, const unit *b,
                               size_t panel, size_t depth, float *c, size_t c_stride, size_t rows,
                               size_t columns, int accumulates) {
  multiply_panels(a, row_stride, unit_stride, b, panel, depth, c, c_stride, rows, columns,
                  accumulates, 16, 12, 8);
}
#endif

static void pack_rows(const float *x, size_t stride, size_t rows, size_t width, unit *target) {
  for (size_t i = 0; i < rows; i++)
    memcpy(target + i * width, x + i * stride, width * sizeof(float));
}

static void pack_depth(const float *x, size_t stride, size_t depth, size_t width, unit *target) {
  for (size_t first = 0; first < width; first += LANES) {
    const size_t count = width - first < LANES ? width - first : LANES;
    for (size_t k = 0; k < depth; k++, target += LANES) {
      memcpy(target, x + k * stride + first, count * sizeof(float));
      if (count < LANES) memset(target + count, 0, (LANES - count) * sizeof(float));
    }
  }
}

static void pack_transposed(const float *x, size_t stride, size_t columns, size_t depth,
                            unit *target) {
  const unit *source = (const unit *)x;
  for (size_t first = 0; first < columns; first += LANES, target += depth * LANES) {
    const size_t count = columns - first < LANES ? columns - first : LANES;
    if (count < LANES) memset(target, 0, depth * LANES * sizeof(float));
    for (size_t k = 0; k < depth; k++)
      for (size_t i = 0; i < count; i++)
        target[k * LANES + i] = source[(first + i) * stride + k];
  }
}

static size_t same(size_t count) { return count; }

#define PLAIN(product)                                                                       \
  {.units = same, .multiply = product, .pack_rows = pack_rows, .pack_columns = pack_rows, \
   .pack_depth = pack_depth, .pack_transposed = pack_transposed}
static const panel_kernel narrow = PLAIN(multiply);
#if defined(__x86_64__) && defined(__linux__)
static const panel_kernel wide = PLAIN(multiply_wide);
#endif

const panel_kernel *lyco_panel_kernel(lyco_compute compute) {
  if (compute == LYCO_BF16) {
    const panel_kernel *tiles = lyco_panel_kernel_tiles();
    const panel_kernel *kernel = tiles ? tiles : lyco_panel_kernel_vectors();
    if (kernel) return kernel;
  }
#if defined(__x86_64__) && defined(__linux__)
  if (__builtin_cpu_supports("x86-64-v4")) return &wide;
#endif
  return &narrow;
}
