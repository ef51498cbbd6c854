#include "panels.h"

#if defined(__x86_64__) && defined(__linux__)

static size_t units_of(size_t count) { return (count + 1) / 2; }

#include "pack_bf16.h"
#include "vectors.h"

#define ADD_PRODUCT(sum, a, b)                                                     \
  (sum) = (vector)_mm512_dpbf16_ps((__m512)(sum), (__m512bh)_mm512_set1_epi32((int)(a)), \
                                   (__m512bh)(b))
#undef INLINE
#define INLINE PACKING
#include "panel_tiles.h"

WITH_BF16 static void multiply(const unit *a, size_t row_stride, size_t unit_stride, const unit *b,
                               size_t panel, size_t depth, float *c, size_t c_stride, size_t rows,
                               size_t columns, int accumulates) {
  multiply_panels(a, row_stride, unit_stride, b, panel, depth, c, c_stride, rows, columns,
                  accumulates, 16, 12, 8);
}

WITH_BF16 static void pack_columns(const float *x, size_t stride, size_t rows, size_t width,
                                   unit *target) {
  for (size_t i = 0; i < rows; i += 2)
    for (size_t k = 0; k < width; k += 16) {
      const float *first = x + i * stride + k;
      _mm512_mask_storeu_epi32(target + i / 2 * width + k, lanes(width - k),
                               paired(first, i + 1 < rows ? first + stride : NULL, width - k));
    }
}

static const panel_kernel kernel = {.units = units_of, .multiply = multiply, .pack_rows = pack_rows,
                                    .pack_columns = pack_columns, .pack_depth = pack_depth,
                                    .pack_transposed = pack_transposed};

const panel_kernel *lyco_panel_kernel_vectors(void) {
  const int runs = __builtin_cpu_supports("x86-64-v4") && __builtin_cpu_supports("avx512bf16");
  return runs && lyco_has_bf16() ? &kernel : NULL;
}

#else

const panel_kernel *lyco_panel_kernel_vectors(void) { return NULL; }

#endif
