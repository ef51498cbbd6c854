// Both products of a strip of panels, by either kernel.
#ifndef LYCO_SKETCH_PRODUCTS_H
#define LYCO_SKETCH_PRODUCTS_H

#include <stddef.h>
#include <stdint.h>

// products = vectors·panels, narrowed = the same in bf16, sums += panels·narrowedᵀ. `turned` has the panels as pairs of
// numbers of neighbouring rows, `padded` rows each.
void lyco_multiply_by_vectors(const uint16_t *panels, const uint16_t *turned, size_t pairs, size_t depth, size_t padded,
                              const uint16_t *vectors, float *products, uint16_t *narrowed, float *sums);
void lyco_multiply_by_tiles(const uint16_t *panels, const uint16_t *turned, size_t pairs, size_t depth, size_t padded,
                            const uint16_t *vectors, float *products, uint16_t *narrowed, float *sums);

#endif
