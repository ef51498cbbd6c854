#include "CLayers.h"
#include "chunks.h"

struct cut {
  const lyco_patches *extents;
  const float *from;
  float *to;
  int inverse;
};

// One row of tokens: the patches of `height` lines of `depth` frames.
static void cut_row(size_t index, void *context) {
  const struct cut *work = context;
  const lyco_patches *e = work->extents;
  const size_t channels = e->channels, pixels = e->depth * e->height * e->width;
  // Of places and of channels in a token.
  const size_t step = e->channels_first ? 1 : channels, stride = e->channels_first ? pixels : 1;
  const size_t row = index % e->rows, frame = index / e->rows % e->frames;
  const size_t sample = index / e->rows / e->frames, line = e->columns * e->width;
  for (size_t column = 0; column < e->columns; column++) {
    const size_t token = (index * e->columns + column) * pixels * channels;
    for (size_t place = 0; place < pixels; place++) {
      const size_t t = frame * e->depth + place / (e->height * e->width);
      const size_t y = row * e->height + place / e->width % e->height;
      const size_t x = column * e->width + place % e->width;
      const size_t pixel =
          (((sample * e->frames * e->depth + t) * e->rows * e->height + y) * line + x) * channels;
      const size_t element = token + place * step;
      for (size_t c = 0; c < channels; c++)
        if (work->inverse)
          work->to[pixel + c] = work->from[element + c * stride];
        else
          work->to[element + c * stride] = work->from[pixel + c];
    }
  }
}

void lyco_patch(const lyco_patches *extents, const float *latents, float *tokens) {
  struct cut work = {extents, latents, tokens, 0};
  lyco_parallel(extents->batch * extents->frames * extents->rows, cut_row, &work);
}

void lyco_unpatch(const lyco_patches *extents, const float *tokens, float *latents) {
  struct cut work = {extents, tokens, latents, 1};
  lyco_parallel(extents->batch * extents->frames * extents->rows, cut_row, &work);
}
