#include <math.h>
#include <stdlib.h>

#include "CLayers.h"
#include "norm_rows.h"

struct pass {
  size_t rows, width;
  float epsilon;
  const float *x, *dy, *weight, *bias;
  float *y, *statistics;
  // [chunks, 2, width]: gradients of weight and bias
  float *sums;
};

static CLONED void normalize(size_t index, void *context) {
  const struct pass *pass = context;
  const size_t width = pass->width;
  for (size_t row = index * ROWS; row < last_row(pass->rows, index); row++) {
    const float *x = pass->x + row * width;
    vector sum = {0}, squares = {0};
    // About the first element, so that a mean far from zero takes no digits away.
    size_t i = 0;
    for (; i + LANES <= width; i += LANES) sum += load(x + i, LANES) - x[0];
    for (; i < width; i++) sum[0] += x[i] - x[0];
    const float mean = x[0] + sum_of(sum) / (float)width;
    for (i = 0; i + LANES <= width; i += LANES) {
      const vector d = load(x + i, LANES) - mean;
      squares += d * d;
    }
    for (; i < width; i++) squares[0] += (x[i] - mean) * (x[i] - mean);
    const float inverse = 1 / sqrtf(sum_of(squares) / (float)width + pass->epsilon);
    pass->statistics[2 * row] = mean;
    pass->statistics[2 * row + 1] = inverse;
    for (size_t i = 0; i < width; i += LANES) {
      const size_t left = width - i;
      const vector normal = (load(x + i, left) - mean) * inverse;
      store(pass->y + row * width + i,
            pass->weight ? normal * load(pass->weight + i, left) + load(pass->bias + i, left)
                         : normal,
            left);
    }
  }
}

void lyco_layer_norm_forward(size_t rows, size_t width, float epsilon, const float *x,
                             const float *weight, const float *bias, float *y, float *statistics) {
  struct pass pass = {.rows = rows,
                      .width = width,
                      .epsilon = epsilon,
                      .x = x,
                      .weight = weight,
                      .bias = bias,
                      .y = y,
                      .statistics = statistics};
  lyco_parallel(chunks(rows), normalize, &pass);
}

static CLONED void differentiate(size_t index, void *context) {
  const struct pass *pass = context;
  const size_t width = pass->width;
  float *dweight = pass->sums ? pass->sums + index * 2 * width : NULL;
  if (dweight) memset(dweight, 0, 2 * width * sizeof(float));
  for (size_t row = index * ROWS; row < last_row(pass->rows, index); row++) {
    const float *x = pass->x + row * width, *dy = pass->dy + row * width;
    const float mean = pass->statistics[2 * row], inverse = pass->statistics[2 * row + 1];
    vector sum = {0}, dot = {0};
    for (size_t i = 0; i < width; i += LANES) {
      const size_t left = width - i;
      const vector g = load(dy + i, left), normal = (load(x + i, left) - mean) * inverse;
      const vector weighted = pass->weight ? g * load(pass->weight + i, left) : g;
      sum += weighted;
      dot += weighted * normal;
      if (dweight) {
        store(dweight + i, load(dweight + i, left) + g * normal, left);
        store(dweight + width + i, load(dweight + width + i, left) + g, left);
      }
    }
    if (!pass->y) continue;
    const float offset = sum_of(sum) / (float)width, slope = sum_of(dot) / (float)width;
    for (size_t i = 0; i < width; i += LANES) {
      const size_t left = width - i;
      const vector normal = (load(x + i, left) - mean) * inverse;
      const vector g = load(dy + i, left);
      store(pass->y + row * width + i,
            pass->weight
                ? inverse * (g * load(pass->weight + i, left) - offset - normal * slope)
                : inverse * (g - offset - normal * slope),
            left);
    }
  }
}

int lyco_layer_norm_backward(size_t rows, size_t width, const float *x, const float *dy,
                             const float *weight, const float *statistics, float *dx,
                             float *dweight, float *dbias) {
  struct pass pass = {.rows = rows,
                      .width = width,
                      .x = x,
                      .dy = dy,
                      .weight = weight,
                      .y = dx,
                      .statistics = (float *)(uintptr_t)statistics};
  if (dweight || dbias) {
    pass.sums = malloc(chunks(rows) * 2 * width * sizeof(float));
    if (!pass.sums) return 1;
  }
  lyco_parallel(chunks(rows), differentiate, &pass);
  if (dweight) add_chunks(pass.sums, chunks(rows), 2 * width, width, dweight);
  if (dbias) add_chunks(pass.sums + width, chunks(rows), 2 * width, width, dbias);
  free(pass.sums);
  return 0;
}
