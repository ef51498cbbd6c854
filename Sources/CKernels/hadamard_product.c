#include "CKernels.h"

#include <string.h>

#include "clones.h"

#define WIDTH LYCO_HADAMARD_WIDTH
// Vectors of columns that are worked on at a time, so that right factors of them stay in the first-level cache.
#define CHUNK 8

// Numbers of a row that lie side by side. Elements are only known to be aligned as floats.
typedef float row __attribute__((vector_size(WIDTH * sizeof(float)), aligned(4)));

// L·R in `tile` rows of L and one vector of columns.
INLINE void multiply(const float *restrict left, const float *restrict right, size_t stride, size_t rank,
                     row *restrict product, const int tile) {
#pragma clang loop unroll(full)
  for (int i = 0; i < tile; i++) product[i] = (row){0};
  for (size_t k = 0; k < rank; k++) {
    const row factor = *(const row *)(right + k * stride);
#pragma clang loop unroll(full)
    for (int i = 0; i < tile; i++) product[i] += left[(size_t)i * rank + k] * factor;
  }
}

// What is left of a vector of Δ beside `product` ⊙ `other`, times the other; the squares of what is left are added.
INLINE void weigh(const float *restrict delta, size_t count, const row *restrict product, const row *restrict other,
                  row *restrict weighted, row *restrict squares) {
  row rest = {0};
  if (count >= WIDTH)
    rest = *(const row *)delta;
  else
    memcpy(&rest, delta, count * sizeof(float));
  rest -= *product * *other;
  *squares += rest * rest;
  *weighted = rest * *other;
}

INLINE double sum(const row *restrict x) {
  double total = 0;
  for (int i = 0; i < WIDTH; i++) total += (double)(*x)[i];
  return total;
}

INLINE double left_rows(const struct lyco_hadamard *restrict p, size_t first, size_t column, size_t vectors,
                        size_t rank, float *restrict others, float *restrict sums, const int tile) {
  row weighted[4][CHUNK];
  row squares = {0};
  const float *restrict left = p->left + first * rank, *restrict other_left = p->other_left + first * rank;
  for (size_t v = 0; v < vectors; v++) {
    const size_t from = column + v * WIDTH;
    row product[4], other[4];
    multiply(left, p->right + from, p->stride, rank, product, tile);
    multiply(other_left, p->other_right + from, p->stride, rank, other, tile);
#pragma clang loop unroll(full)
    for (int i = 0; i < tile; i++) {
      *(row *)(others + (first + (size_t)i) * p->stride + from) = other[i];
      weigh(p->delta + (first + (size_t)i) * p->columns + from, p->columns - from, &product[i], &other[i],
            &weighted[i][v], &squares);
    }
  }
  for (size_t k = 0; k < rank; k++) {
    const float *restrict right = p->right + k * p->stride + column;
    row totals[4];
#pragma clang loop unroll(full)
    for (int i = 0; i < tile; i++) totals[i] = *(const row *)(sums + ((first + (size_t)i) * rank + k) * WIDTH);
    for (size_t v = 0; v < vectors; v++) {
      const row factor = *(const row *)(right + v * WIDTH);
#pragma clang loop unroll(full)
      for (int i = 0; i < tile; i++) totals[i] += weighted[i][v] * factor;
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < tile; i++) *(row *)(sums + ((first + (size_t)i) * rank + k) * WIDTH) = totals[i];
  }
  return sum(&squares);
}

INLINE double right_rows(const struct lyco_hadamard *restrict p, size_t first, size_t column, size_t vectors,
                         size_t rank, const float *restrict others, float *restrict sides, const int tile) {
  row squares = {0};
  const float *restrict left = p->left + first * rank;
  for (size_t v = 0; v < vectors; v++) {
    const size_t from = column + v * WIDTH;
    row product[4], weighted[4];
    multiply(left, p->right + from, p->stride, rank, product, tile);
#pragma clang loop unroll(full)
    for (int i = 0; i < tile; i++) {
      const row other = *(const row *)(others + (first + (size_t)i) * p->stride + from);
      weigh(p->delta + (first + (size_t)i) * p->columns + from, p->columns - from, &product[i], &other, &weighted[i],
            &squares);
    }
    for (size_t k = 0; k < rank; k++) {
      row total = *(const row *)(sides + k * p->stride + from);
#pragma clang loop unroll(full)
      for (int i = 0; i < tile; i++) total += left[(size_t)i * rank + k] * weighted[i];
      *(row *)(sides + k * p->stride + from) = total;
    }
  }
  return sum(&squares);
}

INLINE double error_rows(const struct lyco_hadamard *restrict p, size_t first, size_t column, size_t vectors,
                         size_t rank, const int tile) {
  row squares = {0};
  for (size_t v = 0; v < vectors; v++) {
    const size_t from = column + v * WIDTH;
    row product[4], other[4], weighted;
    multiply(p->left + first * rank, p->right + from, p->stride, rank, product, tile);
    multiply(p->other_left + first * rank, p->other_right + from, p->stride, rank, other, tile);
#pragma clang loop unroll(full)
    for (int i = 0; i < tile; i++)
      weigh(p->delta + (first + (size_t)i) * p->columns + from, p->columns - from, &product[i], &other[i], &weighted,
            &squares);
  }
  return sum(&squares);
}

// All rows of some columns before the next columns, `tile` rows at a time.
#define ALL_ROWS(call)                                                            \
  double total = 0;                                                               \
  for (size_t column = 0; column < p->columns; column += CHUNK * WIDTH) {         \
    const size_t vectors = MIN(CHUNK, (p->columns - column + WIDTH - 1) / WIDTH); \
    size_t first = 0;                                                             \
    for (; first + (size_t)tile <= p->rows; first += (size_t)tile) {              \
      const int height = tile;                                                    \
      total += call;                                                              \
    }                                                                             \
    for (; first < p->rows; first++) {                                            \
      const int height = 1;                                                       \
      total += call;                                                              \
    }                                                                             \
  }                                                                               \
  return total;

INLINE double left_all(const struct lyco_hadamard *restrict p, size_t rank, float *restrict others,
                       float *restrict sums, const int tile) {
  ALL_ROWS(left_rows(p, first, column, vectors, rank, others, sums, height))
}

INLINE double right_all(const struct lyco_hadamard *restrict p, size_t rank, const float *restrict others,
                        float *restrict sides, const int tile) {
  ALL_ROWS(right_rows(p, first, column, vectors, rank, others, sides, height))
}

INLINE double error_all(const struct lyco_hadamard *restrict p, size_t rank, const int tile) {
  ALL_ROWS(error_rows(p, first, column, vectors, rank, height))
}

// A rank that the compiler knows lets it unroll. As many rows at a time as there are vector registers for, 32 of AVX-512
// or 16 of half the width; no sum but that of squares depends on it.
#define BY_RANK(name, ...)                      \
  switch (p->rank) {                            \
    case 4: return name(p, 4, __VA_ARGS__);     \
    case 8: return name(p, 8, __VA_ARGS__);     \
    default: return name(p, p->rank, __VA_ARGS__); \
  }

#if defined(__x86_64__) && defined(__linux__)
#define DISPATCH(name, ...) return __builtin_cpu_supports("avx512f") ? name##_by_four(__VA_ARGS__) : name##_by_two(__VA_ARGS__);

CLONED static double left_by_four(const struct lyco_hadamard *p, float *others, float *sums) {
  BY_RANK(left_all, others, sums, 4)
}
CLONED static double right_by_four(const struct lyco_hadamard *p, const float *others, float *sides) {
  BY_RANK(right_all, others, sides, 4)
}
CLONED static double error_by_four(const struct lyco_hadamard *p) { BY_RANK(error_all, 4) }
#else
#define DISPATCH(name, ...) return name##_by_two(__VA_ARGS__);
#endif

CLONED static double left_by_two(const struct lyco_hadamard *p, float *others, float *sums) {
  BY_RANK(left_all, others, sums, 2)
}
CLONED static double right_by_two(const struct lyco_hadamard *p, const float *others, float *sides) {
  BY_RANK(right_all, others, sides, 2)
}
CLONED static double error_by_two(const struct lyco_hadamard *p) { BY_RANK(error_all, 2) }

double lyco_hadamard_left(const struct lyco_hadamard *restrict p, float *restrict others, float *restrict sums) {
  DISPATCH(left, p, others, sums)
}

double lyco_hadamard_right(const struct lyco_hadamard *restrict p, const float *restrict others,
                           float *restrict sides) {
  DISPATCH(right, p, others, sides)
}

double lyco_hadamard_error(const struct lyco_hadamard *restrict p) { DISPATCH(error, p) }
