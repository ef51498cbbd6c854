#include <math.h>
#include <stdlib.h>

#include "CLayers.h"
#include "norm_rows.h"

struct pass {
  size_t rows, width;
  float epsilon;
  const float *x, *dy, *weight;
  float *y, *statistics;
  // [chunks, width]: gradients of the weight
  float *sums;
};

static CLONED void normalize(size_t index, void *context) {
  const struct pass *pass = context;
  const size_t width = pass->width;
  for (size_t row = index * ROWS; row < last_row(pass->rows, index); row++) {
    const float *x = pass->x + row * width;
    vector squares = {0};
    for (size_t i = 0; i < width; i += LANES) {
      const vector part = load(x + i, width - i);
      squares += part * part;
    }
    const float inverse = 1 / sqrtf(sum_of(squares) / (float)width + pass->epsilon);
    pass->statistics[row] = inverse;
    for (size_t i = 0; i < width; i += LANES) {
      const size_t left = width - i;
      store(pass->y + row * width + i,
            load(x + i, left) * inverse * load(pass->weight + i, left), left);
    }
  }
}

void lyco_rms_norm_forward(size_t rows, size_t width, float epsilon, const float *x,
                           const float *weight, float *y, float *statistics) {
  struct pass pass = {.rows = rows,
                      .width = width,
                      .epsilon = epsilon,
                      .x = x,
                      .weight = weight,
                      .y = y,
                      .statistics = statistics};
  lyco_parallel(chunks(rows), normalize, &pass);
}

static CLONED void differentiate(size_t index, void *context) {
  const struct pass *pass = context;
  const size_t width = pass->width;
  float *dweight = pass->sums ? pass->sums + index * width : NULL;
  if (dweight) memset(dweight, 0, width * sizeof(float));
  for (size_t row = index * ROWS; row < last_row(pass->rows, index); row++) {
    const float *x = pass->x + row * width, *dy = pass->dy + row * width;
    const float inverse = pass->statistics[row];
    vector dot = {0};
    for (size_t i = 0; i < width; i += LANES) {
      const size_t left = width - i;
      const vector g = load(dy + i, left), normal = load(x + i, left) * inverse;
      dot += g * load(pass->weight + i, left) * normal;
      if (dweight) store(dweight + i, load(dweight + i, left) + g * normal, left);
    }
    if (!pass->y) continue;
    const float slope = sum_of(dot) / (float)width;
    for (size_t i = 0; i < width; i += LANES) {
      const size_t left = width - i;
      const vector normal = load(x + i, left) * inverse;
      store(pass->y + row * width + i,
            inverse * (load(dy + i, left) * load(pass->weight + i, left) - normal * slope), left);
    }
  }
}

int lyco_rms_norm_backward(size_t rows, size_t width, const float *x, const float *dy,
                           const float *weight, const float *statistics, float *dx,
                           float *dweight) {
  struct pass pass = {.rows = rows,
                      .width = width,
                      .x = x,
                      .dy = dy,
                      .weight = weight,
                      .y = dx,
                      .statistics = (float *)(uintptr_t)statistics};
  if (dweight) {
    pass.sums = malloc(chunks(rows) * width * sizeof(float));
    if (!pass.sums) return 1;
  }
  lyco_parallel(chunks(rows), differentiate, &pass);
  if (!dweight) return 0;
  add_chunks(pass.sums, chunks(rows), width, width, dweight);
  free(pass.sums);
  return 0;
}
