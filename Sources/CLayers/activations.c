#include "CLayers.h"
#include "chunks.h"

struct unary {
  const float *x, *dy;
  float *y;
  size_t count;
};

OVER_ELEMENTS(silu, struct unary, {
  const vector x = load(work->x + i, left);
  store(work->y + i, x * sigmoid(x), left);
})

OVER_ELEMENTS(silu_backward, struct unary, {
  const vector x = load(work->x + i, left), s = sigmoid(x);
  store(work->y + i, load(work->dy + i, left) * (s * (1.0f + x * (1.0f - s))), left);
})

OVER_ELEMENTS(quick_gelu, struct unary, {
  const vector x = load(work->x + i, left);
  store(work->y + i, x * sigmoid(1.702f * x), left);
})

OVER_ELEMENTS(quick_gelu_backward, struct unary, {
  const vector x = load(work->x + i, left), z = 1.702f * x, s = sigmoid(z);
  store(work->y + i, load(work->dy + i, left) * (s * (1.0f + z * (1.0f - s))), left);
})

// 1 / √(2π)
#define DENSITY 0.398942280f

OVER_ELEMENTS(gelu, struct unary, {
  vector bell;
  const vector x = load(work->x + i, left);
  store(work->y + i, x * normal_distribution(x, &bell), left);
})

OVER_ELEMENTS(gelu_backward, struct unary, {
  vector bell;
  const vector x = load(work->x + i, left), below = normal_distribution(x, &bell);
  store(work->y + i, load(work->dy + i, left) * (below + x * bell * DENSITY), left);
})

// √(2/π), and the cube's part in the argument. (1 + tanh z) / 2 is sigmoid 2z.
#define TANH_SCALE 0.797884561f
#define TANH_CUBE 0.044715f

OVER_ELEMENTS(tanh_gelu, struct unary, {
  const vector x = load(work->x + i, left);
  const vector z = TANH_SCALE * (x + TANH_CUBE * (x * x * x));
  store(work->y + i, x * sigmoid(2.0f * z), left);
})

OVER_ELEMENTS(tanh_gelu_backward, struct unary, {
  const vector x = load(work->x + i, left), square = x * x;
  const vector e = exponential(-2.0f * TANH_SCALE * (x + TANH_CUBE * (square * x)));
  // e·s is 1 − s, whose digits count: the slope of the argument grows with x².
  const vector s = 1.0f / (1.0f + e);
  const vector slope = 2.0f * TANH_SCALE * (1.0f + 3.0f * TANH_CUBE * square);
  store(work->y + i, load(work->dy + i, left) * (s + x * s * (e * s) * slope), left);
})

void lyco_activate(lyco_activation activation, const float *x, float *y, size_t count) {
  struct unary work = {x, NULL, y, count};
  switch (activation) {
    case LYCO_SILU: silu(work); break;
    case LYCO_GELU: gelu(work); break;
    case LYCO_QUICK_GELU: quick_gelu(work); break;
    case LYCO_TANH_GELU: tanh_gelu(work); break;
  }
}

void lyco_activate_backward(lyco_activation activation, const float *x, const float *dy, float *dx,
                            size_t count) {
  struct unary work = {x, dy, dx, count};
  switch (activation) {
    case LYCO_SILU: silu_backward(work); break;
    case LYCO_GELU: gelu_backward(work); break;
    case LYCO_QUICK_GELU: quick_gelu_backward(work); break;
    case LYCO_TANH_GELU: tanh_gelu_backward(work); break;
  }
}

OVER_ELEMENTS(exponentials, struct unary,
              { store(work->y + i, exponential(load(work->x + i, left)), left); })

OVER_ELEMENTS(distributions, struct unary, {
  vector bell;
  store(work->y + i, normal_distribution(load(work->x + i, left), &bell), left);
})

void lyco_exponential(const float *x, float *y, size_t count) {
  exponentials((struct unary){x, NULL, y, count});
}

void lyco_normal_distribution(const float *x, float *y, size_t count) {
  distributions((struct unary){x, NULL, y, count});
}

// MARK: GEGLU

struct gated {
  const float *x, *dy;
  float *y;
  size_t rows, width;
};

#define GATED_ROWS ((size_t)8)

static CLONED void geglu_rows(size_t index, void *context) {
  const struct gated *work = context;
  const size_t n = work->width, start = index * GATED_ROWS;
  const size_t end = start + GATED_ROWS < work->rows ? start + GATED_ROWS : work->rows;
  for (size_t row = start; row < end; row++) {
    const float *a = work->x + row * 2 * n, *b = a + n;
    for (size_t i = 0; i < n; i += LANES) {
      vector bell;
      const vector z = load(b + i, n - i);
      store(work->y + row * n + i, load(a + i, n - i) * (z * normal_distribution(z, &bell)), n - i);
    }
  }
}

static CLONED void geglu_backward_rows(size_t index, void *context) {
  const struct gated *work = context;
  const size_t n = work->width, start = index * GATED_ROWS;
  const size_t end = start + GATED_ROWS < work->rows ? start + GATED_ROWS : work->rows;
  for (size_t row = start; row < end; row++) {
    const float *a = work->x + row * 2 * n, *b = a + n, *dy = work->dy + row * n;
    float *da = work->y + row * 2 * n, *db = da + n;
    for (size_t i = 0; i < n; i += LANES) {
      vector bell;
      const vector z = load(b + i, n - i), g = load(dy + i, n - i);
      const vector below = normal_distribution(z, &bell);
      store(da + i, g * (z * below), n - i);
      store(db + i, g * load(a + i, n - i) * (below + z * bell * DENSITY), n - i);
    }
  }
}

void lyco_geglu(const float *x, float *y, size_t rows, size_t width) {
  struct gated work = {x, NULL, y, rows, width};
  lyco_parallel((rows + GATED_ROWS - 1) / GATED_ROWS, geglu_rows, &work);
}

void lyco_geglu_backward(const float *x, const float *dy, float *dx, size_t rows, size_t width) {
  struct gated work = {x, dy, dx, rows, width};
  lyco_parallel((rows + GATED_ROWS - 1) / GATED_ROWS, geglu_backward_rows, &work);
}
