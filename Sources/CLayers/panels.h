// Small products inside one task: C = A·B for a B packed in panels of 16 columns, in the number format
// that a set of functions stands for.
#ifndef LYCO_PANELS_H
#define LYCO_PANELS_H

#include <stddef.h>

#include "COneDNN.h"

// One 4-byte unit holds one number of f32, or a pair of bf16 that follow each other along the depth.
typedef uint32_t unit;

typedef struct {
  // How many units hold so many numbers along the depth: no more than there are numbers, and no fewer than of less.
  size_t (*units)(size_t count);
  // C `[rows, columns]` (+)= A·B over `depth` units. A's unit (i, k) is a[i·row_stride + k·unit_stride]; B is
  // in panels `[columns / 16][depth][16]`, `panel` units apart; columns is a multiple of 16.
  void (*multiply)(const unit *a, size_t row_stride, size_t unit_stride, const unit *b, size_t panel,
                   size_t depth, float *c, size_t c_stride, size_t rows, size_t columns,
                   int accumulates);
  // x `[rows, width]` as an A of that shape: units `[rows][units(width)]`.
  void (*pack_rows)(const float *x, size_t stride, size_t rows, size_t width, unit *target);
  // x `[rows, width]` as an A of shape `[width, rows]`: units `[units(rows)][width]`, or `[width][units(rows)]`
  // where it turns them.
  void (*pack_columns)(const float *x, size_t stride, size_t rows, size_t width, unit *target);
  // Whether pack_columns does: then multiply takes a unit_stride of 1 alone.
  int turns_columns;
  // x `[depth, width]` as a B of that shape: panels `[ceil(width / 16)][units(depth)][16]`.
  void (*pack_depth)(const float *x, size_t stride, size_t depth, size_t width, unit *target);
  // x `[columns, depth]` as a B of shape `[depth, columns]`: panels
  // `[ceil(columns / 16)][units(depth)][16]`.
  void (*pack_transposed)(const float *x, size_t stride, size_t columns, size_t depth, unit *target);
} panel_kernel;

/// The functions for a format; those of f32 where the processor does not multiply bf16.
const panel_kernel *lyco_panel_kernel(lyco_compute compute);
// By the vectors of AVX-512, and by the tiles of AMX; NULL where the processor, or the system, has none.
const panel_kernel *lyco_panel_kernel_vectors(void);
const panel_kernel *lyco_panel_kernel_tiles(void);

static inline size_t units(const panel_kernel *kernel, size_t count) { return kernel->units(count); }

// Whether numbers are read as they are, without being packed.
static inline int reads_plain(const panel_kernel *kernel) { return kernel->units(2) == 2; }

// Up to a whole number of panels.
static inline size_t padded(size_t columns) { return (columns + 15) / 16 * 16; }

#endif
