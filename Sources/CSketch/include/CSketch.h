#ifndef CSKETCH_H
#define CSKETCH_H

#include <stddef.h>
#include <stdint.h>

/* Products of 16 vectors with a matrix in bf16, for the sketches of the randomized SVD: sums are f32. */

/* What multiplies them. */
enum lyco_sketch_kernel {
  /* Nothing that is faster than f32. */
  LYCO_SKETCH_NONE,
  /* The instructions AVX512-BF16. */
  LYCO_SKETCH_VECTORS,
  /* Those of AMX. */
  LYCO_SKETCH_TILES,
};

/* The fastest that this processor, and its system, have. Vectors do not count on Intel's: they multiply f32 as fast. */
enum lyco_sketch_kernel lyco_fastest_sketch_kernel(void);
/* Whether a kernel runs here at all. */
int lyco_runs_sketch_kernel(enum lyco_sketch_kernel kernel);

/* A depth rounded up to what kernels read: their sums and narrowed vectors are of so many rows. */
size_t lyco_sketch_depth(size_t depth);
/* Numbers of 16 bits that a product of so many pairs of panels works in. */
size_t lyco_sketch_memory(size_t pairs, size_t depth);
/* Numbers that are to be there behind the last pair, of any value. */
#define LYCO_SKETCH_MARGIN (64 * 32)

/* 16 vectors [16, depth] as a kernel reads them: 16 · lyco_sketch_depth(depth) numbers. */
void lyco_narrow_vectors(enum lyco_sketch_kernel kernel, const float *vectors, size_t depth, uint16_t *target);
/* products = vectors·panels and sums += panels·bf16(products)ᵀ for pairs [depth, 32] of panels of bf16, products
   [16, 32 · pairs] and sums [lyco_sketch_depth(depth), 16]. Subnormal numbers count as zero. It is fastest with memory
   that is aligned to 64 bytes. The pairs behind these are prefetched. */
void lyco_add_sketch_products(enum lyco_sketch_kernel kernel, const uint16_t *panels, size_t pairs, size_t depth,
                              const uint16_t *vectors, float *products, float *sums, uint16_t *memory);

#endif
