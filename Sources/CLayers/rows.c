#include <stdlib.h>

#include "CLayers.h"
#include "chunks.h"

#define ROWS ((size_t)32)

struct rows {
  const float *x, *row;
  float *y;
  size_t x_stride, y_stride, rows, width;
};

INLINE size_t last_row(const struct rows *work, size_t index) {
  const size_t end = (index + 1) * ROWS;
  return end < work->rows ? end : work->rows;
}

static size_t pieces(size_t rows) { return (rows + ROWS - 1) / ROWS; }

static CLONED void add_row(size_t index, void *context) {
  const struct rows *work = context;
  const size_t width = work->width;
  for (size_t row = index * ROWS; row < last_row(work, index); row++)
    for (size_t i = 0; i < width; i += LANES)
      store(work->y + row * width + i,
            load(work->x + row * width + i, width - i) + load(work->row + i, width - i), width - i);
}

void lyco_add_row(const float *x, const float *row, float *y, size_t rows, size_t width) {
  struct rows work = {x, row, y, width, width, rows, width};
  lyco_parallel(pieces(rows), add_row, &work);
}

// Columns are shared out, not rows: each is summed from the first row to the last.
#define COLUMNS ((size_t)64)

static CLONED void sum_columns(size_t index, void *context) {
  const struct rows *work = context;
  const size_t width = work->width, start = index * COLUMNS;
  const size_t end = start + COLUMNS < width ? start + COLUMNS : width;
  double sums[COLUMNS] = {0};
  // Partial sums in f32 over few rows, then in double.
  for (size_t first = 0; first < work->rows; first += ROWS) {
    const size_t last = first + ROWS < work->rows ? first + ROWS : work->rows;
    for (size_t i = start; i < end; i += LANES) {
      vector part = {0};
      for (size_t row = first; row < last; row++)
        part += load(work->x + row * width + i, end - i);
      for (size_t lane = 0; lane < LANES && i + lane < end; lane++)
        sums[i + lane - start] += part[lane];
    }
  }
  for (size_t i = start; i < end; i++) work->y[i] = (float)sums[i - start];
}

void lyco_sum_rows(const float *x, float *sums, size_t rows, size_t width) {
  struct rows work = {x, NULL, sums, width, width, rows, width};
  lyco_parallel((width + COLUMNS - 1) / COLUMNS, sum_columns, &work);
}

static void copy_rows(size_t index, void *context) {
  const struct rows *work = context;
  for (size_t row = index * ROWS; row < last_row(work, index); row++)
    memcpy(work->y + row * work->y_stride, work->x + row * work->x_stride,
           work->width * sizeof(float));
}

void lyco_copy_rows(const float *x, size_t x_stride, float *y, size_t y_stride, size_t rows,
                    size_t width) {
  struct rows work = {x, NULL, y, x_stride, y_stride, rows, width};
  lyco_parallel(pieces(rows), copy_rows, &work);
}

static CLONED void add_rows(size_t index, void *context) {
  const struct rows *work = context;
  const size_t width = work->width;
  for (size_t row = index * ROWS; row < last_row(work, index); row++) {
    const float *x = work->x + row * work->x_stride;
    float *y = work->y + row * work->y_stride;
    for (size_t i = 0; i < width; i += LANES)
      store(y + i, load(y + i, width - i) + load(x + i, width - i), width - i);
  }
}

void lyco_add_rows(const float *x, size_t x_stride, float *y, size_t y_stride, size_t rows,
                   size_t width) {
  struct rows work = {x, NULL, y, x_stride, y_stride, rows, width};
  lyco_parallel(pieces(rows), add_rows, &work);
}

// Tiles that a cache's lines are read and written in whole, and those of a task.
#define TILE ((size_t)16)
#define TASK_ROWS (8 * TILE)
#define TASK_COLUMNS (8 * TILE)
// Numbers that are moved in the time that threads take to come together.
#define SMALL ((size_t)1 << 16)

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

static void transpose_part(size_t index, void *context) {
  const struct rows *work = context;
  const size_t across = (work->width + TASK_COLUMNS - 1) / TASK_COLUMNS;
  const size_t first_row = index / across * TASK_ROWS, first = index % across * TASK_COLUMNS;
  const size_t last_row = least(first_row + TASK_ROWS, work->rows);
  const size_t last = least(first + TASK_COLUMNS, work->width);
  for (size_t row = first_row; row < last_row; row += TILE)
    for (size_t column = first; column < last; column += TILE)
      for (size_t j = column; j < least(column + TILE, last); j++)
        for (size_t i = row; i < least(row + TILE, last_row); i++)
          work->y[j * work->rows + i] = work->x[i * work->width + j];
}

void lyco_transpose(const float *x, float *y, size_t rows, size_t columns) {
  struct rows work = {x, NULL, y, columns, rows, rows, columns};
  const size_t across = (columns + TASK_COLUMNS - 1) / TASK_COLUMNS;
  const size_t tasks = (rows + TASK_ROWS - 1) / TASK_ROWS * across;
  if (rows * columns < SMALL)
    for (size_t task = 0; task < tasks; task++) transpose_part(task, &work);
  else
    lyco_parallel(tasks, transpose_part, &work);
}
