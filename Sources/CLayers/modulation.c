#include "CLayers.h"
#include "chunks.h"

#define ROWS ((size_t)32)

// Rows of samples, and one row for each sample.
struct samples {
  size_t rows, width;
  const float *x, *y, *factors, *offsets;
  float *result;
};

static size_t pieces(size_t rows) { return (rows + ROWS - 1) / ROWS; }

INLINE size_t last_row(const struct samples *work, size_t piece) {
  const size_t end = (piece + 1) * ROWS;
  return end < work->rows ? end : work->rows;
}

static CLONED void modulate(size_t index, void *context) {
  const struct samples *work = context;
  const size_t width = work->width, sample = index / pieces(work->rows);
  const size_t piece = index % pieces(work->rows);
  const float *scale = work->factors + sample * width;
  const float *shift = work->offsets ? work->offsets + sample * width : NULL;
  for (size_t row = piece * ROWS; row < last_row(work, piece); row++) {
    const size_t start = (sample * work->rows + row) * width;
    for (size_t i = 0; i < width; i += LANES) {
      const size_t left = width - i;
      const vector x = load(work->x + start + i, left), factor = 1.0f + load(scale + i, left);
      const vector product = x * factor;
      store(work->result + start + i, shift ? product + load(shift + i, left) : product, left);
    }
  }
}

void lyco_modulate(size_t batch, size_t rows, size_t width, const float *x, const float *scale,
                   const float *shift, float *y) {
  struct samples work = {rows, width, x, NULL, scale, shift, y};
  lyco_parallel(batch * pieces(rows), modulate, &work);
}

static CLONED void add_gated(size_t index, void *context) {
  const struct samples *work = context;
  const size_t width = work->width, sample = index / pieces(work->rows);
  const size_t piece = index % pieces(work->rows);
  const float *gate = work->factors + sample * width;
  for (size_t row = piece * ROWS; row < last_row(work, piece); row++) {
    const size_t start = (sample * work->rows + row) * width;
    for (size_t i = 0; i < width; i += LANES) {
      const size_t left = width - i;
      const vector product = load(work->y + start + i, left) * load(gate + i, left);
      store(work->result + start + i,
            work->x ? load(work->x + start + i, left) + product : product, left);
    }
  }
}

void lyco_add_gated(size_t batch, size_t rows, size_t width, const float *x, const float *y,
                    const float *gate, float *sum) {
  struct samples work = {rows, width, x, y, gate, NULL, sum};
  lyco_parallel(batch * pieces(rows), add_gated, &work);
}

// Columns are shared out, not rows: each is summed from the first row to the last.
#define COLUMNS ((size_t)64)

static CLONED void sum_products(size_t index, void *context) {
  const struct samples *work = context;
  const size_t width = work->width, strips = (width + COLUMNS - 1) / COLUMNS;
  const size_t sample = index / strips, start = index % strips * COLUMNS;
  const size_t end = start + COLUMNS < width ? start + COLUMNS : width;
  const float *x = work->x + sample * work->rows * width;
  const float *y = work->y + sample * work->rows * width;
  double sums[COLUMNS] = {0};
  // Partial sums in f32 over few rows, then in double.
  for (size_t piece = 0; piece < pieces(work->rows); piece++)
    for (size_t i = start; i < end; i += LANES) {
      vector part = {0};
      for (size_t row = piece * ROWS; row < last_row(work, piece); row++)
        part += load(x + row * width + i, end - i) * load(y + row * width + i, end - i);
      for (size_t lane = 0; lane < LANES && i + lane < end; lane++)
        sums[i + lane - start] += part[lane];
    }
  for (size_t i = start; i < end; i++)
    work->result[sample * width + i] = (float)sums[i - start];
}

void lyco_sum_products(size_t batch, size_t rows, size_t width, const float *x, const float *y,
                       float *sums) {
  struct samples work = {rows, width, x, y, NULL, NULL, sums};
  lyco_parallel(batch * ((width + COLUMNS - 1) / COLUMNS), sum_products, &work);
}
