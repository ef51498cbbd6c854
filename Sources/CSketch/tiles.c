#include "products.h"

#if defined(__x86_64__) && defined(__linux__)

#include "bf16.h"

#define WITH_AMX __attribute__((target("arch=x86-64-v4,avx512bf16,amx-tile,amx-bf16")))

// Tiles of 16 rows of 64 bytes: 0 to 3 are sums, four because one alone would wait for itself.
WITH_AMX static void configure(void) {
  struct {
    uint8_t palette, start, reserved[14];
    uint16_t bytes[16];
    uint8_t rows[16];
  } __attribute__((aligned(64))) tiles = {.palette = 1};
  for (int i = 0; i < 8; i++) {
    tiles.rows[i] = WIDTH;
    tiles.bytes[i] = 64;
  }
  _tile_loadconfig(&tiles);
}

// vectors·panels for two panels or four.
WITH_AMX static inline __attribute__((always_inline)) void multiply_panels(const uint16_t *turned, size_t padded,
                                                                         const uint16_t *vectors, float *products,
                                                                         size_t columns, const int panels) {
  const size_t panel = padded * WIDTH;
  _tile_zero(0);
  _tile_zero(1);
  if (panels > 2) {
    _tile_zero(2);
    _tile_zero(3);
  }
  for (size_t k = 0; k < padded; k += PAIR) {
    const uint16_t *rows = turned + k * WIDTH;
    _tile_loadd(4, vectors + k, padded * sizeof(uint16_t));
    _tile_loadd(5, rows, 64);
    _tile_dpbf16ps(0, 4, 5);
    _tile_loadd(6, rows + panel, 64);
    _tile_dpbf16ps(1, 4, 6);
    if (panels > 2) {
      _tile_loadd(7, rows + 2 * panel, 64);
      _tile_dpbf16ps(2, 4, 7);
      _tile_loadd(5, rows + 3 * panel, 64);
      _tile_dpbf16ps(3, 4, 5);
    }
  }
  _tile_stored(0, products, columns * sizeof(float));
  _tile_stored(1, products + WIDTH, columns * sizeof(float));
  if (panels > 2) {
    _tile_stored(2, products + 2 * WIDTH, columns * sizeof(float));
    _tile_stored(3, products + 3 * WIDTH, columns * sizeof(float));
  }
}

// What rows behind the last one add is not looked at.
WITH_AMX void lyco_multiply_by_tiles(const uint16_t *panels, const uint16_t *turned, size_t pairs, size_t depth,
                                     size_t padded, const uint16_t *vectors, float *products, uint16_t *narrowed,
                                     float *sums) {
  const size_t columns = pairs * PAIR, tile = WIDTH * WIDTH;
  configure();
  for (size_t p = 0; p < pairs; p += 2) {
    const uint16_t *strip = turned + p * padded * PAIR;
    if (p + 1 < pairs) multiply_panels(strip, padded, vectors, products + p * PAIR, columns, 4);
    else multiply_panels(strip, padded, vectors, products + p * PAIR, columns, 2);
  }
  for (size_t p = 0; p < pairs; p++) narrow_products(products + p * PAIR, columns, narrowed + p * WIDTH * PAIR);
  for (size_t i = 0; i < padded; i += 4 * WIDTH) {
    float *target = sums + i * WIDTH;
    _tile_loadd(0, target, 64);
    _tile_loadd(1, target + tile, 64);
    _tile_loadd(2, target + 2 * tile, 64);
    _tile_loadd(3, target + 3 * tile, 64);
    for (size_t p = 0; p < pairs; p++) {
      const uint16_t *rows = panels + (p * depth + i) * PAIR;
      _tile_loadd(4, narrowed + p * WIDTH * PAIR, 64);
      _tile_loadd(5, rows, 64);
      _tile_dpbf16ps(0, 5, 4);
      _tile_loadd(6, rows + WIDTH * PAIR, 64);
      _tile_dpbf16ps(1, 6, 4);
      _tile_loadd(7, rows + 2 * WIDTH * PAIR, 64);
      _tile_dpbf16ps(2, 7, 4);
      _tile_loadd(5, rows + 3 * WIDTH * PAIR, 64);
      _tile_dpbf16ps(3, 5, 4);
    }
    _tile_stored(0, target, 64);
    _tile_stored(1, target + tile, 64);
    _tile_stored(2, target + 2 * tile, 64);
    _tile_stored(3, target + 3 * tile, 64);
  }
  _tile_release();
}

#endif
