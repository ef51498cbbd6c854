#include "CLayers.h"
#include "chunks.h"

struct binary {
  const float *a, *b;
  float factor;
  float *y;
  size_t count;
};

OVER_ELEMENTS(sum, struct binary, {
  store(work->y + i, load(work->a + i, left) + work->factor * load(work->b + i, left), left);
})

OVER_ELEMENTS(product, struct binary,
              { store(work->y + i, load(work->a + i, left) * load(work->b + i, left), left); })

OVER_ELEMENTS(multiple, struct binary,
              { store(work->y + i, work->factor * load(work->a + i, left), left); })

void lyco_add(float *y, const float *x, float factor, size_t count) {
  sum((struct binary){y, x, factor, y, count});
}

void lyco_sum(const float *a, const float *b, float factor, float *y, size_t count) {
  sum((struct binary){a, b, factor, y, count});
}

void lyco_multiply(const float *a, const float *b, float *y, size_t count) {
  product((struct binary){a, b, 1, y, count});
}

void lyco_scale(const float *x, float factor, float *y, size_t count) {
  multiple((struct binary){x, NULL, factor, y, count});
}
