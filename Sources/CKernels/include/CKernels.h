// Loops that widen stored numbers to f32 and narrow them back, on `count` elements of packed
// little-endian memory, and a few sums and products. None allocates or keeps state. See ../README.md.
#ifndef LYCO_CKERNELS_H
#define LYCO_CKERNELS_H

#include <stddef.h>
#include <stdint.h>

// MARK: Widening. Exact.

/// IEEE half precision to f32.
void lyco_widen_f16(const void *restrict source, float *restrict target, size_t count);
/// bfloat16 to f32.
void lyco_widen_bf16(const void *restrict source, float *restrict target, size_t count);
/// 8-bit floats of any layout: `table[code]` holds the f32 value of each of the 256 codes.
void lyco_widen_f8(const uint8_t *restrict source, const float *restrict table,
                   float *restrict target, size_t count);

// MARK: Narrowing. Round to nearest, ties to even; NaN stays NaN.

/// f32 to half precision; values beyond ±65504 become infinite.
void lyco_narrow_f16(const float *restrict source, void *restrict target, size_t count);
/// f32 to bfloat16.
void lyco_narrow_bf16(const float *restrict source, void *restrict target, size_t count);

// MARK: Sums in double precision

/// Σ x²
double lyco_sum_of_squares(const float *restrict x, size_t count);
/// Σ (x − y)²
double lyco_squared_distance(const float *restrict x, const float *restrict y, size_t count);

// MARK: Checks

/// How many of `count` half precision numbers are infinite.
size_t lyco_count_infinite_f16(const void *restrict source, size_t count);

// MARK: Thin products

/// Columns of the thin matrices that `lyco_add_thin_product` works on.
#define LYCO_THIN_COLUMNS 16

/// C += A·B for row-major B `[depth, 16]` and C `[count, 16]`, where element (i, k) of A
/// `[count, depth]` is a[i·row_stride + k·column_stride], so that A may be a transpose, and is read
/// where it lies.
void lyco_add_thin_product(const float *restrict a, size_t row_stride, size_t column_stride,
                           const float *restrict b, float *restrict c, size_t count, size_t depth);

#endif
