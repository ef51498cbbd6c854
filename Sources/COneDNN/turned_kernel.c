#include "convolution.h"

#include <stdlib.h>
#include <string.h>

// Channels are taken in tiles of 16 by 16, as layouts are blocked.
#define TILE ((size_t)16)
// Inputs of a task.
#define TASK_INPUTS (16 * TILE)

struct turning {
  const void *source;
  void *target;
  size_t size, outputs, inputs, height, width;
  // By output, input, row and column of the kernel.
  size_t *from[4], *to[4];
};

#define INLINE static inline __attribute__((always_inline))
// Vectors are passed between functions that are inlined only.
#pragma clang diagnostic ignored "-Wpsabi"

typedef uint32_t singles __attribute__((vector_size(64), aligned(4)));
typedef uint64_t doubles __attribute__((vector_size(64), aligned(4)));

// Rows half a matrix apart, element by element in turn: done as often as the extent has bits, this
// transposes, for it moves the bits of row and column round by one.
#define MINGLE(type, rows, count)                                                \
  {                                                                              \
    type mingled[count];                                                         \
    for (int i = 0; i < count / 2; i++) mingle_##type(rows + i, mingled + 2 * i); \
    memcpy(rows, mingled, sizeof mingled);                                       \
  }

INLINE void mingle_singles(const singles *rows, singles *mingled) {
  mingled[0] = __builtin_shufflevector(rows[0], rows[8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21,
                                       6, 22, 7, 23);
  mingled[1] = __builtin_shufflevector(rows[0], rows[8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13,
                                       29, 14, 30, 15, 31);
}

INLINE void mingle_doubles(const doubles *rows, doubles *mingled) {
  mingled[0] = __builtin_shufflevector(rows[0], rows[4], 0, 8, 1, 9, 2, 10, 3, 11);
  mingled[1] = __builtin_shufflevector(rows[0], rows[4], 4, 12, 5, 13, 6, 14, 7, 15);
}

// One tile of one tap, numbers of 4 bytes: outputs lie side by side at first, inputs in the end.
INLINE void turn_singles(const uint32_t *source, const size_t *rows, uint32_t *target,
                         const size_t *target_rows) {
  singles tile[16];
  for (size_t i = 0; i < TILE; i++) tile[i] = *(const singles *)(source + rows[i]);
  MINGLE(singles, tile, 16)
  MINGLE(singles, tile, 16)
  MINGLE(singles, tile, 16)
  MINGLE(singles, tile, 16)
  for (size_t i = 0; i < TILE; i++) *(singles *)(target + target_rows[i]) = tile[i];
}

// Numbers of 2 bytes: pairs of inputs of every output at first, pairs of outputs of every input in the
// end.
INLINE void turn_pairs(const uint16_t *source, const size_t *rows, uint16_t *target,
                       const size_t *target_rows) {
  doubles tile[8];
  for (size_t i = 0; i < TILE / 2; i++) {
    // Two outputs by two inputs, transposed within 64 bits.
    const doubles four = *(const doubles *)(source + rows[2 * i]);
    tile[i] = (four & 0xFFFF00000000FFFF) | ((four & 0xFFFF0000) << 16) | ((four >> 16) & 0xFFFF0000);
  }
  MINGLE(doubles, tile, 8)
  MINGLE(doubles, tile, 8)
  MINGLE(doubles, tile, 8)
  for (size_t i = 0; i < TILE / 2; i++) *(doubles *)(target + target_rows[2 * i]) = tile[i];
}

// Whether a tile's coordinates from `first` lie `step` apart, each of `group` ones side by side.
static int is_regular(const size_t *offsets, size_t first, size_t group, size_t step) {
  for (size_t i = 0; i < TILE; i++)
    if (offsets[first + i] != offsets[first + i / group * group] + i % group * step) return 0;
  return 1;
}

#define TURN(type)                                                                               \
  for (size_t o = first; o < last; o++)                                                          \
    for (size_t i = input; i < input_end; i++)                                                   \
      ((type *)work->target)[to + work->to[0][o] + work->to[1][i]] =                             \
          ((const type *)work->source)[from + work->from[0][o] + work->from[1][i]];

static LYCO_CLONED void turn_part(size_t index, void *context) {
  const struct turning *work = context;
  const size_t parts = (work->inputs + TASK_INPUTS - 1) / TASK_INPUTS;
  const size_t first = index / parts * TILE, first_input = index % parts * TASK_INPUTS;
  const size_t last_input =
      first_input + TASK_INPUTS < work->inputs ? first_input + TASK_INPUTS : work->inputs;
  const size_t last = first + TILE < work->outputs ? first + TILE : work->outputs;
  // What is side by side in tiles that have a shorter way.
  const int is_single = work->size == 4;
  const size_t step = is_single ? 1 : 2, group = is_single ? 1 : 2;
  const int are_regular = last - first == TILE && is_regular(work->from[0], first, TILE, step) &&
                          is_regular(work->to[0], first, group, 1);
  for (size_t input = first_input; input < last_input; input += TILE) {
    const size_t input_end = input + TILE < last_input ? input + TILE : last_input;
    const int is_tile = are_regular && input_end - input == TILE &&
                        is_regular(work->to[1], input, TILE, step) &&
                        is_regular(work->from[1], input, group, 1);
    for (size_t row = 0; row < work->height; row++)
      for (size_t column = 0; column < work->width; column++) {
        const size_t from = work->from[2][row] + work->from[3][column];
        const size_t to =
            work->to[2][work->height - 1 - row] + work->to[3][work->width - 1 - column];
        if (is_tile && is_single)
          turn_singles((const uint32_t *)work->source + from + work->from[0][first],
                       work->from[1] + input, (uint32_t *)work->target + to + work->to[1][input],
                       work->to[0] + first);
        else if (is_tile)
          turn_pairs((const uint16_t *)work->source + from + work->from[0][first],
                     work->from[1] + input, (uint16_t *)work->target + to + work->to[1][input],
                     work->to[0] + first);
        else if (is_single) {
          TURN(uint32_t)
        } else {
          TURN(uint16_t)
        }
      }
  }
}

dnnl_status_t lyco_turn_kernel(const lyco_convolution *e, size_t size, queried_descriptor from,
                               const void *source, queried_descriptor to, void *target) {
  const size_t counts[] = {e->outputs, e->inputs, e->kernel_height, e->kernel_width};
  // The target's outputs are the source's inputs.
  const int exchanged[] = {1, 0, 2, 3};
  struct turning work = {source,    target,           size,           e->outputs,
                         e->inputs, e->kernel_height, e->kernel_width, {NULL}, {NULL}};
  dnnl_status_t status = dnnl_success;
  for (int axis = 0; axis < 4 && status == dnnl_success; axis++) {
    work.from[axis] = malloc(counts[axis] * sizeof(size_t));
    work.to[axis] = malloc(counts[axis] * sizeof(size_t));
    status = work.from[axis] && work.to[axis] ? lyco_offsets(from, axis, work.from[axis])
                                              : dnnl_out_of_memory;
    if (status == dnnl_success) status = lyco_offsets(to, exchanged[axis], work.to[axis]);
  }
  if (status == dnnl_success) {
    if (lyco_padded_extent(to, 0) != (dnnl_dim_t)e->inputs ||
        lyco_padded_extent(to, 1) != (dnnl_dim_t)e->outputs)
      memset(target, 0, dnnl_memory_desc_get_size(to));
    lyco_parallel((e->outputs + TILE - 1) / TILE * ((e->inputs + TASK_INPUTS - 1) / TASK_INPUTS),
                  turn_part, &work);
  }
  for (int axis = 0; axis < 4; axis++) {
    free(work.from[axis]);
    free(work.to[axis]);
  }
  return status;
}
