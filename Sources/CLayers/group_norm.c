#include <math.h>
#include <stdlib.h>

#include "CLayers.h"
#include "chunks.h"

// Positions are taken in chunks whose size depends on the extents alone. Each leaves two sums per channel,
// which are added in order.
struct pass {
  const lyco_group_norm *extents;
  const float *x, *dy, *weight, *bias;
  float *y, *statistics;
  double *moments;
  size_t rows, chunks;
  // [batch, chunks, 2, channels]
  float *sums;
  // [batch, FACTORS, channels]
  float *factors;
};

// What is applied to a channel of a sample, group and channel taken together.
enum { SCALE, SHIFT, MEAN, INVERSE, GAIN, OFFSET, SLOPE, FACTORS };

static int prepare(struct pass *pass, const lyco_group_norm *e) {
  size_t rows = e->positions / 64;
  rows = rows < 32 ? 32 : rows > 256 ? 256 : rows;
  pass->extents = e;
  pass->rows = rows;
  pass->chunks = (e->positions + rows - 1) / rows;
  pass->sums = malloc(e->batch * pass->chunks * 2 * e->channels * sizeof(float));
  pass->factors = malloc(e->batch * FACTORS * e->channels * sizeof(float));
  return !pass->sums || !pass->factors;
}

static void finish(struct pass *pass) {
  free(pass->sums);
  free(pass->factors);
}

struct piece {
  size_t sample, count;
  // Where it starts in the image, and its sums.
  size_t offset;
  float *sums;
};

INLINE struct piece piece_at(const struct pass *pass, size_t index) {
  const lyco_group_norm *e = pass->extents;
  struct piece piece;
  piece.sample = index / pass->chunks;
  const size_t first = index % pass->chunks * pass->rows;
  piece.count = pass->rows < e->positions - first ? pass->rows : e->positions - first;
  piece.offset = (piece.sample * e->positions + first) * e->channels;
  piece.sums = pass->sums + index * 2 * e->channels;
  return piece;
}

static void over_pieces(struct pass *pass, void (*body)(size_t, void *)) {
  lyco_parallel(pass->extents->batch * pass->chunks, body, pass);
}

static void over_groups(struct pass *pass, void (*body)(size_t, void *)) {
  lyco_parallel(pass->extents->batch * pass->extents->groups, body, pass);
}

// MARK: Forward

// Σ (x − pivot) and Σ (x − pivot)², where the pivot of a channel is its first element in the chunk: near
// enough to the mean that nothing cancels.
static CLONED void gather(size_t index, void *context) {
  const struct pass *pass = context;
  const size_t channels = pass->extents->channels;
  const struct piece piece = piece_at(pass, index);
  const float *x = pass->x + piece.offset;
  for (size_t c = 0; c < channels; c += LANES) {
    const size_t left = channels - c;
    const vector pivot = load(x + c, left);
    vector sum = {0}, squares = {0};
    for (size_t row = 0; row < piece.count; row++) {
      const vector d = load(x + row * channels + c, left) - pivot;
      sum += d;
      squares += d * d;
    }
    store(piece.sums + c, sum, left);
    store(piece.sums + channels + c, squares, left);
  }
}

static void describe(size_t index, void *context) {
  const struct pass *pass = context;
  const lyco_group_norm *e = pass->extents;
  const size_t width = e->channels / e->groups, sample = index / e->groups;
  const size_t first = index % e->groups * width;
  double total = 0, between = 0, within = 0;
  // Means of chunks about the first element of the group.
  const double origin = pass->x[sample * e->positions * e->channels + first];
  for (size_t chunk = 0; chunk < pass->chunks; chunk++) {
    const struct piece piece = piece_at(pass, sample * pass->chunks + chunk);
    for (size_t c = first; c < first + width; c++) {
      const double sum = piece.sums[c], squares = piece.sums[e->channels + c];
      const double mean = pass->x[piece.offset + c] - origin + sum / (double)piece.count;
      total += mean * (double)piece.count;
      between += mean * mean * (double)piece.count;
      within += squares - sum * sum / (double)piece.count;
    }
  }
  const double count = (double)(width * e->positions), mean = total / count;
  const double variance = (within + between - mean * mean * count) / count;
  if (pass->moments) {
    pass->moments[2 * index] = mean + origin;
    pass->moments[2 * index + 1] = variance;
  }
  if (!pass->statistics) return;
  pass->statistics[2 * index] = (float)(mean + origin);
  pass->statistics[2 * index + 1] =
      (float)(1 / sqrt((variance > 0 ? variance : variance < 0 ? 0 : variance) + e->epsilon));
}

// Spreads the statistics of groups over their channels.
static void spread(const struct pass *pass) {
  const lyco_group_norm *e = pass->extents;
  const size_t width = e->channels / e->groups;
  for (size_t sample = 0; sample < e->batch; sample++) {
    float *factors = pass->factors + sample * FACTORS * e->channels;
    for (size_t c = 0; c < e->channels; c++) {
      const float *statistics = pass->statistics + 2 * (sample * e->groups + c / width);
      factors[MEAN * e->channels + c] = statistics[0];
      factors[INVERSE * e->channels + c] = statistics[1];
      factors[SCALE * e->channels + c] = statistics[1] * pass->weight[c];
      factors[SHIFT * e->channels + c] = pass->bias[c];
    }
  }
}

static CLONED void normalize(size_t index, void *context) {
  const struct pass *pass = context;
  const size_t channels = pass->extents->channels;
  const struct piece piece = piece_at(pass, index);
  const float *factors = pass->factors + piece.sample * FACTORS * channels;
  const int silu = pass->extents->silu;
  for (size_t row = 0; row < piece.count; row++) {
    const float *x = pass->x + piece.offset + row * channels;
    float *y = pass->y + piece.offset + row * channels;
    for (size_t c = 0; c < channels; c += LANES) {
      const size_t left = channels - c;
      vector z = (load(x + c, left) - load(factors + MEAN * channels + c, left)) *
                     load(factors + SCALE * channels + c, left) +
                 load(factors + SHIFT * channels + c, left);
      store(y + c, silu ? z * sigmoid(z) : z, left);
    }
  }
}

int lyco_group_norm_forward(const lyco_group_norm *extents, const float *x, const float *weight,
                            const float *bias, float *y, float *statistics) {
  struct pass pass = {.x = x, .weight = weight, .bias = bias, .y = y, .statistics = statistics};
  const int failed = prepare(&pass, extents);
  if (!failed) {
    over_pieces(&pass, gather);
    over_groups(&pass, describe);
    spread(&pass);
    over_pieces(&pass, normalize);
  }
  finish(&pass);
  return failed;
}

int lyco_group_norm_moments(const lyco_group_norm *extents, const float *x, double *moments) {
  struct pass pass = {.x = x, .moments = moments};
  const int failed = prepare(&pass, extents);
  if (!failed) {
    over_pieces(&pass, gather);
    over_groups(&pass, describe);
  }
  finish(&pass);
  return failed;
}

int lyco_group_norm_apply(const lyco_group_norm *extents, const float *x, const float *weight,
                          const float *bias, const float *statistics, float *y) {
  struct pass pass = {.x = x,
                      .weight = weight,
                      .bias = bias,
                      .y = y,
                      .statistics = (float *)(uintptr_t)statistics};
  const int failed = prepare(&pass, extents);
  if (!failed) {
    spread(&pass);
    over_pieces(&pass, normalize);
  }
  finish(&pass);
  return failed;
}

// MARK: Backward

// Σ g and Σ g · (x − mean)/deviation of every channel, where g is the gradient before SiLU, left in y.
static CLONED void gather_gradients(size_t index, void *context) {
  const struct pass *pass = context;
  const size_t channels = pass->extents->channels;
  const struct piece piece = piece_at(pass, index);
  const float *factors = pass->factors + piece.sample * FACTORS * channels;
  const int silu = pass->extents->silu;
  for (size_t c = 0; c < channels; c += LANES) {
    const size_t left = channels - c;
    const vector mean = load(factors + MEAN * channels + c, left);
    const vector inverse = load(factors + INVERSE * channels + c, left);
    const vector scale = load(factors + SCALE * channels + c, left);
    const vector shift = load(factors + SHIFT * channels + c, left);
    vector sum = {0}, dot = {0};
    for (size_t row = 0; row < piece.count; row++) {
      const size_t i = piece.offset + row * channels + c;
      const vector centered = load(pass->x + i, left) - mean;
      vector g = load(pass->dy + i, left);
      if (silu) {
        const vector z = centered * scale + shift, s = sigmoid(z);
        g *= s * (1.0f + z * (1.0f - s));
      }
      sum += g;
      dot += g * (centered * inverse);
      if (pass->y) store(pass->y + i, g, left);
    }
    store(piece.sums + c, sum, left);
    store(piece.sums + channels + c, dot, left);
  }
}

// dx = inverse · (g · weight − mean of g · weight − normalized · mean of g · weight · normalized), as
// g · GAIN − OFFSET − (x − MEAN) · SLOPE.
static void combine(size_t index, void *context) {
  const struct pass *pass = context;
  const lyco_group_norm *e = pass->extents;
  const size_t width = e->channels / e->groups, sample = index / e->groups;
  const size_t first = index % e->groups * width;
  double sum = 0, dot = 0;
  for (size_t chunk = 0; chunk < pass->chunks; chunk++) {
    const float *sums = pass->sums + (sample * pass->chunks + chunk) * 2 * e->channels;
    for (size_t c = first; c < first + width; c++) {
      sum += (double)pass->weight[c] * sums[c];
      dot += (double)pass->weight[c] * sums[e->channels + c];
    }
  }
  const double count = (double)(width * e->positions);
  float *factors = pass->factors + sample * FACTORS * e->channels;
  for (size_t c = first; c < first + width; c++) {
    const double inverse = factors[INVERSE * e->channels + c];
    factors[GAIN * e->channels + c] = (float)(inverse * pass->weight[c]);
    factors[OFFSET * e->channels + c] = (float)(inverse * sum / count);
    factors[SLOPE * e->channels + c] = (float)(inverse * inverse * dot / count);
  }
}

static CLONED void differentiate(size_t index, void *context) {
  const struct pass *pass = context;
  const size_t channels = pass->extents->channels;
  const struct piece piece = piece_at(pass, index);
  const float *factors = pass->factors + piece.sample * FACTORS * channels;
  for (size_t row = 0; row < piece.count; row++) {
    const float *x = pass->x + piece.offset + row * channels;
    float *dx = pass->y + piece.offset + row * channels;
    for (size_t c = 0; c < channels; c += LANES) {
      const size_t left = channels - c;
      const vector centered = load(x + c, left) - load(factors + MEAN * channels + c, left);
      store(dx + c,
            load(dx + c, left) * load(factors + GAIN * channels + c, left) -
                load(factors + OFFSET * channels + c, left) -
                centered * load(factors + SLOPE * channels + c, left),
            left);
    }
  }
}

static void sum_parameters(const struct pass *pass, size_t part, float *sums) {
  const size_t channels = pass->extents->channels;
  if (!sums) return;
  for (size_t c = 0; c < channels; c++) {
    double sum = 0;
    for (size_t chunk = 0; chunk < pass->extents->batch * pass->chunks; chunk++)
      sum += pass->sums[(2 * chunk + part) * channels + c];
    sums[c] = (float)sum;
  }
}

int lyco_group_norm_backward(const lyco_group_norm *extents, const float *x, const float *dy,
                             const float *weight, const float *bias, const float *statistics,
                             float *dx, float *dweight, float *dbias) {
  struct pass pass = {.x = x,
                      .dy = dy,
                      .weight = weight,
                      .bias = bias,
                      .y = dx,
                      .statistics = (float *)(uintptr_t)statistics};
  const int failed = prepare(&pass, extents);
  if (!failed) {
    spread(&pass);
    over_pieces(&pass, gather_gradients);
    sum_parameters(&pass, 0, dbias);
    sum_parameters(&pass, 1, dweight);
    if (dx) {
      over_groups(&pass, combine);
      over_pieces(&pass, differentiate);
    }
  }
  finish(&pass);
  return failed;
}
