#include "CLayers.h"
#include "chunks.h"

struct doubling {
  const float *from;
  float *to;
  size_t width, channels;
};

// One row of the small image to two of the large one.
static void upsample_row(size_t row, void *context) {
  const struct doubling *work = context;
  const size_t line = work->width * work->channels;
  const float *x = work->from + row * line;
  float *y = work->to + row * 4 * line;
  for (size_t column = 0; column < 2 * work->width; column++)
    memcpy(y + column * work->channels, x + column / 2 * work->channels,
           work->channels * sizeof(float));
  memcpy(y + 2 * line, y, 2 * line * sizeof(float));
}

static CLONED void gather_row(size_t row, void *context) {
  const struct doubling *work = context;
  const size_t channels = work->channels, line = work->width * channels;
  const float *dy = work->from + row * 4 * line;
  float *dx = work->to + row * line;
  for (size_t column = 0; column < work->width; column++)
    for (size_t i = 0; i < channels; i += LANES) {
      const float *first = dy + 2 * column * channels + i, *second = first + 2 * line;
      const size_t left = channels - i;
      const vector above = load(first, left) + load(first + channels, left);
      store(dx + column * channels + i,
            above + (load(second, left) + load(second + channels, left)), left);
    }
}

void lyco_upsample(const float *x, float *y, size_t batch, size_t height, size_t width,
                   size_t channels) {
  struct doubling work = {x, y, width, channels};
  lyco_parallel(batch * height, upsample_row, &work);
}

void lyco_upsample_backward(const float *dy, float *dx, size_t batch, size_t height, size_t width,
                            size_t channels) {
  struct doubling work = {dy, dx, width, channels};
  lyco_parallel(batch * height, gather_row, &work);
}
