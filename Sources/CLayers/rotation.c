#include "CLayers.h"
#include "chunks.h"

#define TOKENS ((size_t)16)

// Cosines and sines for the pairs of a vector.
typedef float half __attribute__((vector_size(32), aligned(4)));

struct turn {
  const lyco_rotation *extents;
  const float *cosines, *sines, *x;
  float *y;
  float direction;
};

// Every one of 8 numbers twice, or as many as are left, with zeros behind them.
INLINE vector doubled(const float *source, size_t left) {
  half part = {0};
  if (left >= LANES / 2)
    part = *(const half *)source;
  else
    for (size_t i = 0; i < left; i++) part[i] = source[i];
  return __builtin_shufflevector(part, part, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
}

INLINE vector swapped(vector x) {
  return __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
}

static CLONED void rotate(size_t index, void *context) {
  const struct turn *work = context;
  const lyco_rotation *e = work->extents;
  const size_t width = 2 * e->pairs, line = e->heads * width;
  const size_t pieces = (e->tokens + TOKENS - 1) / TOKENS;
  const size_t sample = index / pieces, first = index % pieces * TOKENS;
  const size_t last = first + TOKENS < e->tokens ? first + TOKENS : e->tokens;
  const float s = work->direction;
  const vector signs = {-s, s, -s, s, -s, s, -s, s, -s, s, -s, s, -s, s, -s, s};
  for (size_t token = first; token < last; token++) {
    const float *x = work->x + (sample * e->tokens + token) * line;
    float *y = work->y + (sample * e->tokens + token) * line;
    if (token >= e->rotated) {
      memcpy(y, x, line * sizeof(float));
      continue;
    }
    const float *cosines = work->cosines + token * e->pairs, *sines = work->sines + token * e->pairs;
    for (size_t i = 0; i < width; i += LANES) {
      const size_t left = width - i;
      const vector c = doubled(cosines + i / 2, left / 2);
      const vector t = doubled(sines + i / 2, left / 2) * signs;
      for (size_t head = 0; head < e->heads; head++) {
        const vector part = load(x + head * width + i, left);
        store(y + head * width + i, part * c + swapped(part) * t, left);
      }
    }
  }
}

void lyco_rotate(const lyco_rotation *extents, const float *cosines, const float *sines,
                 int backward, const float *x, float *y) {
  struct turn work = {extents, cosines, sines, x, y, backward ? -1.0f : 1.0f};
  lyco_parallel(extents->batch * ((extents->tokens + TOKENS - 1) / TOKENS), rotate, &work);
}
