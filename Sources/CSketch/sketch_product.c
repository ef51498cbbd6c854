#include "CSketch.h"

#if defined(__x86_64__) && defined(__linux__)

#include "CPlatform.h"
#include "bf16.h"
#include "products.h"

// Rows of a step of the tiles.
enum { STEP = 64 };

size_t lyco_sketch_depth(size_t depth) { return (depth + STEP - 1) / STEP * STEP; }

// Turned panels, and the products in bf16.
size_t lyco_sketch_memory(size_t pairs, size_t depth) { return pairs * PAIR * (lyco_sketch_depth(depth) + WIDTH); }

int lyco_runs_sketch_kernel(enum lyco_sketch_kernel kernel) {
  switch (kernel) {
    case LYCO_SKETCH_VECTORS: return __builtin_cpu_supports("x86-64-v4") && __builtin_cpu_supports("avx512bf16");
    case LYCO_SKETCH_TILES: return lyco_runs_sketch_kernel(LYCO_SKETCH_VECTORS) && lyco_permits_tiles();
    default: return 0;
  }
}

enum lyco_sketch_kernel lyco_fastest_sketch_kernel(void) {
  if (lyco_runs_sketch_kernel(LYCO_SKETCH_TILES)) return LYCO_SKETCH_TILES;
  return lyco_runs_sketch_kernel(LYCO_SKETCH_VECTORS) && !__builtin_cpu_is("intel") ? LYCO_SKETCH_VECTORS
                                                                                    : LYCO_SKETCH_NONE;
}

// Numbers from a place on, zeros from `count` on.
WITH_BF16_INLINE __m512 some(const float *x, size_t place, size_t count) {
  const size_t left = place < count ? count - place : 0;
  return _mm512_maskz_loadu_ps(left >= WIDTH ? 0xFFFF : (__mmask16)((1u << left) - 1), x + place);
}

// 16 vectors [16, depth] as rows of bf16, padded with zeros.
WITH_BF16 static void narrow_rows(const float *vectors, size_t depth, size_t padded, uint16_t *target) {
  for (size_t i = 0; i < WIDTH; i++, vectors += depth)
    for (size_t k = 0; k < padded; k += PAIR, target += PAIR)
      _mm512_storeu_si512(target, as_bf16(some(vectors, k, depth), some(vectors, k + WIDTH, depth)));
}

// The same as pairs of numbers k and k + 1, vector by vector: [depth / 2, 16, 2].
WITH_BF16 static void narrow_pairs(const float *vectors, size_t depth, size_t padded, uint16_t *target) {
  for (size_t k = 0; k < padded; k += PAIR) {
    __m512i part[WIDTH];
    for (size_t i = 0; i < WIDTH; i++)
      part[i] = as_bf16(some(vectors + i * depth, k, depth), some(vectors + i * depth, k + WIDTH, depth));
    turn(part);
    for (size_t i = 0; i < WIDTH; i++, target += PAIR) _mm512_storeu_si512(target, part[i]);
  }
}

void lyco_narrow_vectors(enum lyco_sketch_kernel kernel, const float *vectors, size_t depth, uint16_t *target) {
  const size_t padded = lyco_sketch_depth(depth);
  if (kernel == LYCO_SKETCH_TILES) narrow_rows(vectors, depth, padded, target);
  else narrow_pairs(vectors, depth, padded, target);
}

// Rows k and k + 1 of a pair as pairs of numbers, panel by panel; zeros behind the last row.
WITH_BF16 static void turn_panels(const uint16_t *pair, size_t depth, size_t padded, uint16_t *first,
                                  const char *next) {
  const __m512i low = alternating(0), high = alternating(WIDTH);
  uint16_t *second = first + padded * WIDTH;
  for (size_t k = 0; k < padded; k += 2) {
    const __m512i x = k < depth ? _mm512_loadu_si512(pair + k * PAIR) : _mm512_setzero_si512();
    const __m512i y = k + 1 < depth ? _mm512_loadu_si512(pair + (k + 1) * PAIR) : _mm512_setzero_si512();
    _mm_prefetch(next + k * sizeof(x), _MM_HINT_T1);
    _mm_prefetch(next + (k + 1) * sizeof(x), _MM_HINT_T1);
    _mm512_storeu_si512(first + k * WIDTH, _mm512_permutex2var_epi16(x, low, y));
    _mm512_storeu_si512(second + k * WIDTH, _mm512_permutex2var_epi16(x, high, y));
  }
}

void lyco_add_sketch_products(enum lyco_sketch_kernel kernel, const uint16_t *panels, size_t pairs, size_t depth,
                              const uint16_t *vectors, float *products, float *sums, uint16_t *memory) {
  const size_t padded = lyco_sketch_depth(depth);
  uint16_t *narrowed = memory + pairs * PAIR * padded;
  for (size_t p = 0; p < pairs; p++)
    turn_panels(panels + p * depth * PAIR, depth, padded, memory + p * padded * PAIR,
                (const char *)(panels + (p + pairs) * depth * PAIR));
  if (kernel == LYCO_SKETCH_TILES)
    lyco_multiply_by_tiles(panels, memory, pairs, depth, padded, vectors, products, narrowed, sums);
  else
    lyco_multiply_by_vectors(panels, memory, pairs, depth, padded, vectors, products, narrowed, sums);
}

#else

size_t lyco_sketch_depth(size_t depth) { return depth; }
size_t lyco_sketch_memory(size_t pairs, size_t depth) { return 0; }
int lyco_runs_sketch_kernel(enum lyco_sketch_kernel kernel) { return 0; }
enum lyco_sketch_kernel lyco_fastest_sketch_kernel(void) { return LYCO_SKETCH_NONE; }
void lyco_narrow_vectors(enum lyco_sketch_kernel kernel, const float *vectors, size_t depth, uint16_t *target) {}
void lyco_add_sketch_products(enum lyco_sketch_kernel kernel, const uint16_t *panels, size_t pairs, size_t depth,
                              const uint16_t *vectors, float *products, float *sums, uint16_t *memory) {}

#endif
