#include <stdlib.h>

#include "CLayers.h"
#include "panels.h"
#include "vectors.h"

// The gradient of a thin factor: few columns (or rows), summed over as many products as there are tokens.
// A library shares such sums out among threads; here each task has some rows of C, and adds up their
// products from the first to the last. Where there are few rows and much to do for each, tasks are smaller.
#define ROWS ((size_t)64)
#define LEAST_ROWS ((size_t)16)
#define TASKS_PER_THREAD ((size_t)4)
#define DEPTH ((size_t)512)
// Numbers that are packed, and products that are summed, in the time that threads take to come together.
#define SMALL_PACK ((size_t)1 << 16)
#define SMALL_PRODUCT ((size_t)1 << 20)

struct deep {
  size_t m, n, k, row_stride, column_stride, task_rows;
  const float *a, *thin;
  int thin_by_columns;
  unit *panels;
  // C, or its transpose.
  float *c;
  int is_transposed, accumulates, failed;
};

// One panel of the thin factor, for a part of the depth.
static void pack_part(size_t index, void *context) {
  const struct deep *work = context;
  const panel_kernel *kernel = lyco_panel_kernel(LYCO_F32);
  const size_t parts = (work->k + DEPTH - 1) / DEPTH;
  const size_t first = index / parts * LANES, k = index % parts * DEPTH;
  const size_t columns = LANES < work->n - first ? LANES : work->n - first;
  const size_t depth = DEPTH < work->k - k ? DEPTH : work->k - k;
  unit *target = work->panels + first * work->k + k * LANES;
  if (work->thin_by_columns)
    kernel->pack_transposed(work->thin + first * work->k + k, work->k, columns, depth, target);
  else
    kernel->pack_depth(work->thin + k * work->n + first, work->n, depth, columns, target);
}

static void multiply_rows(size_t index, void *context) {
  struct deep *work = context;
  const panel_kernel *kernel = lyco_panel_kernel(LYCO_F32);
  const size_t first = index * work->task_rows, width = padded(work->n);
  const size_t rows = work->task_rows < work->m - first ? work->task_rows : work->m - first;
  float *sums = malloc(ROWS * width * sizeof(float));
  if (!sums) {
    work->failed = 1;
    return;
  }
  memset(sums, 0, ROWS * width * sizeof(float));
  for (size_t k = 0; k < work->k; k += DEPTH) {
    const size_t depth = DEPTH < work->k - k ? DEPTH : work->k - k;
    kernel->multiply((const unit *)work->a + first * work->row_stride + k * work->column_stride,
                     work->row_stride, work->column_stride, work->panels + k * LANES,
                     work->k * LANES, depth, sums, width, rows, width, 1);
  }
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < work->n; j++) {
      float *target = work->c + (work->is_transposed ? j * work->m + first + i
                                                     : (first + i) * work->n + j);
      *target = work->accumulates ? *target + sums[i * width + j] : sums[i * width + j];
    }
  free(sums);
}

int lyco_deep_product(size_t m, size_t n, size_t k, const float *a, int a_transposed, const float *b,
                      int b_transposed, float *c, int accumulates) {
  if (m == 0 || n == 0) return 0;
  // Cᵀ = op(B)ᵀ·op(A)ᵀ where that has fewer columns.
  const int is_transposed = m < n;
  struct deep work = {.k = k, .c = c, .is_transposed = is_transposed, .accumulates = accumulates};
  work.m = is_transposed ? n : m, work.n = is_transposed ? m : n;
  work.a = is_transposed ? b : a;
  const int by_columns = is_transposed ? !b_transposed : a_transposed;
  work.thin = is_transposed ? a : b;
  work.thin_by_columns = is_transposed ? !a_transposed : b_transposed;
  work.row_stride = by_columns ? 1 : k, work.column_stride = by_columns ? work.m : 1;
  work.panels = malloc(padded(work.n) * (k ? k : 1) * sizeof(unit));
  if (!work.panels) return 1;
  const size_t parts = padded(work.n) / LANES * ((k + DEPTH - 1) / DEPTH);
  if (work.n * k < SMALL_PACK)
    for (size_t part = 0; part < parts; part++) pack_part(part, &work);
  else
    lyco_parallel(parts, pack_part, &work);
  const size_t wanted = TASKS_PER_THREAD * (size_t)lyco_threads();
  const size_t even = ((work.m + wanted - 1) / wanted + LEAST_ROWS - 1) / LEAST_ROWS * LEAST_ROWS;
  work.task_rows = even < ROWS && m * n * k >= SMALL_PRODUCT ? even : ROWS;
  lyco_parallel((work.m + work.task_rows - 1) / work.task_rows, multiply_rows, &work);
  free(work.panels);
  return work.failed;
}
