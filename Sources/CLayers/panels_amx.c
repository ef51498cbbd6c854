#include "panels.h"

#if defined(__x86_64__) && defined(__linux__)

#include <pthread.h>

#include "CPlatform.h"

// A tile holds 16 rows of 16 units.
enum { SIDE = 16 };

// As few steps of at most a tile as hold them, all of the same depth.
static size_t units_of(size_t count) {
  const size_t pairs = (count + 1) / 2, steps = (pairs + SIDE - 1) / SIDE;
  return steps > 0 ? (pairs + steps - 1) / steps * steps : 0;
}

#include "pack_bf16.h"
#include "vectors.h"

#define WITH_AMX __attribute__((target("arch=x86-64-v4,avx512bf16,amx-tile,amx-bf16")))

// Tiles 0 to 3 are those of C, 4 and 5 of A, 6 and 7 of B.
WITH_AMX static void configure(size_t step) {
  struct {
    uint8_t palette, start, reserved[14];
    uint16_t bytes[16];
    uint8_t rows[16];
  } __attribute__((aligned(64))) tiles = {.palette = 1};
  for (int i = 0; i < 8; i++) {
    tiles.rows[i] = i < 6 ? SIDE : (uint8_t)step;
    tiles.bytes[i] = (uint16_t)(sizeof(unit) * (i == 4 || i == 5 ? step : SIDE));
  }
  _tile_loadconfig(&tiles);
}

// What a tile of C holds is added last: what is there may be large beside it.
WITH_AMX static void add(const float *sums, float *c, size_t c_stride) {
  for (size_t i = 0; i < SIDE; i++)
    _mm512_storeu_ps(c + i * c_stride, _mm512_add_ps(_mm512_loadu_ps(c + i * c_stride),
                                                     _mm512_load_ps(sums + i * SIDE)));
}

#define PUT(tile, target)                                        \
  do {                                                           \
    if (accumulates) {                                           \
      _tile_stored(tile, sums, SIDE * sizeof(float));            \
      add(sums, target, c_stride);                               \
    } else {                                                     \
      _tile_stored(tile, target, c_stride * sizeof(float));      \
    }                                                            \
  } while (0)

// 16 or 32 rows of one or two panels.
WITH_AMX __attribute__((always_inline)) static inline void multiply_tiles(
  const unit *a, size_t row_stride, const unit *b, size_t panel, size_t depth, size_t step, float *c,
  size_t c_stride, int accumulates, const int rows, const int panels) {
  float sums[SIDE * SIDE] __attribute__((aligned(64)));
  const size_t a_bytes = row_stride * sizeof(unit), b_bytes = SIDE * sizeof(unit);
  _tile_zero(0);
  if (panels > 1) _tile_zero(1);
  if (rows > 1) _tile_zero(2);
  if (rows > 1 && panels > 1) _tile_zero(3);
  for (size_t k = 0; k < depth; k += step) {
    _tile_loadd(4, a + k, a_bytes);
    _tile_loadd(6, b + k * SIDE, b_bytes);
    _tile_dpbf16ps(0, 4, 6);
    if (rows > 1) {
      _tile_loadd(5, a + SIDE * row_stride + k, a_bytes);
      _tile_dpbf16ps(2, 5, 6);
    }
    if (panels > 1) {
      _tile_loadd(7, b + panel + k * SIDE, b_bytes);
      _tile_dpbf16ps(1, 4, 7);
      if (rows > 1) _tile_dpbf16ps(3, 5, 7);
    }
  }
  PUT(0, c);
  if (panels > 1) PUT(1, c + SIDE);
  if (rows > 1) PUT(2, c + SIDE * c_stride);
  if (rows > 1 && panels > 1) PUT(3, c + SIDE * c_stride + SIDE);
}

WITH_AMX static void multiply_tall(const unit *a, size_t row_stride, const unit *b, size_t panel,
                                   size_t depth, float *c, size_t c_stride, size_t rows,
                                   size_t columns, int accumulates) {
  const size_t step = depth / ((depth + SIDE - 1) / SIDE);
  configure(step);
  for (size_t j = 0; j < columns; j += 2 * SIDE, b += 2 * panel)
    for (size_t i = 0; i < rows; i += 2 * SIDE) {
      const unit *from = a + i * row_stride;
      float *to = c + i * c_stride + j;
      const int tall = rows - i > SIDE, wide = columns - j > SIDE;
      if (tall && wide) multiply_tiles(from, row_stride, b, panel, depth, step, to, c_stride, accumulates, 2, 2);
      else if (tall) multiply_tiles(from, row_stride, b, panel, depth, step, to, c_stride, accumulates, 2, 1);
      else if (wide) multiply_tiles(from, row_stride, b, panel, depth, step, to, c_stride, accumulates, 1, 2);
      else multiply_tiles(from, row_stride, b, panel, depth, step, to, c_stride, accumulates, 1, 1);
    }
  _tile_release();
}

// Rows beside the last whole tile are few: vectors multiply them.
static void multiply(const unit *a, size_t row_stride, size_t unit_stride, const unit *b,
                     size_t panel, size_t depth, float *c, size_t c_stride, size_t rows,
                     size_t columns, int accumulates) {
  const size_t tall = depth > 0 ? rows / SIDE * SIDE : 0;
  if (tall > 0) multiply_tall(a, row_stride, b, panel, depth, c, c_stride, tall, columns, accumulates);
  if (tall < rows)
    lyco_panel_kernel_vectors()->multiply(a + tall * row_stride, row_stride, unit_stride, b, panel, depth,
                                          c + tall * c_stride, c_stride, rows - tall, columns, accumulates);
}

WITH_BF16 static void pack_columns(const float *x, size_t stride, size_t rows, size_t width,
                                   unit *target) {
  const size_t units = units_of(rows);
  for (size_t first = 0; first < width; first += SIDE)
    for (size_t k = 0; k < units; k += SIDE) {
      __m512i part[SIDE];
      for (size_t j = 0; j < SIDE; j++) {
        const size_t row = 2 * (k + j);
        if (row >= rows) {
          part[j] = _mm512_setzero_si512();
          continue;
        }
        const float *pair = x + row * stride + first;
        part[j] = paired(pair, row + 1 < rows ? pair + stride : NULL, width - first);
      }
      turn(part);
      for (size_t i = 0; i < SIDE && first + i < width; i++)
        _mm512_mask_storeu_epi32(target + (first + i) * units + k, lanes(units - k), part[i]);
    }
}

static const panel_kernel kernel = {.units = units_of, .multiply = multiply, .pack_rows = pack_rows,
                                    .pack_columns = pack_columns, .turns_columns = 1,
                                    .pack_depth = pack_depth, .pack_transposed = pack_transposed};

static int runs;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void ask(void) { runs = lyco_has_tiles() && lyco_panel_kernel_vectors() && lyco_permits_tiles(); }

const panel_kernel *lyco_panel_kernel_tiles(void) {
  pthread_once(&once, ask);
  return runs ? &kernel : NULL;
}

#else

const panel_kernel *lyco_panel_kernel_tiles(void) { return NULL; }

#endif
